# What a distribution's own tools, and scanners, read to know where they are: os-release, and the records of its packages.
# A package set that is made of a distribution's packages has both in the store paths; of any other there is nothing to
# say, for nobody's advisories fit it.
{
  pkgs,
  # The image's name.
  name,
  # The image's store paths, from closure.nix.
  closure,
}:
pkgs.runCommand "distribution"
  {
    osRelease = ''
      ID=linux
      NAME="${name}"
      PRETTY_NAME="${name}"
    '';
  }
  ''
    mkdir -p $out/etc
    printf %s "$osRelease" > $out/etc/os-release
    while read -r path; do
      # Debian's C library has these two.
      for file in os-release debian_version; do
        if [ -f "$path/share/$file" ]; then cp -f "$path/share/$file" "$out/etc/$file"; fi
      done
      # A file for each package, as images without dpkg have it ("distroless").
      if [ -d "$path/share/dpkg/status.d" ]; then
        mkdir -p $out/var/lib/dpkg/status.d
        cp -f "$path"/share/dpkg/status.d/* $out/var/lib/dpkg/status.d/
      fi
    done < ${closure}
  ''
