# /etc of an image: who is who, and what this is.
{
  pkgs,
  name,
  uid,
  gid,
  # The packages in the image.
  contents,
}:
pkgs.runCommand "etc"
  {
    closure = pkgs.closureInfo { rootPaths = contents; };
    passwd = ''
      root:x:0:0:root:/root:/bin/sh
      django:x:${toString uid}:${toString gid}:Django:/app:/bin/sh
      nobody:x:65534:65534:nobody:/nonexistent:/bin/false
    '';
    group = ''
      root:x:0:
      django:x:${toString gid}:
      nogroup:x:65534:
    '';
    nsswitch = ''
      passwd: files
      group: files
      hosts: files dns
    '';
    # Where the package set is no distribution, the image is none either.
    osRelease = ''
      ID=linux
      NAME="${name}"
      PRETTY_NAME="${name}"
    '';
  }
  ''
    mkdir -p $out/ssl/certs
    printf %s "$passwd" > $out/passwd
    printf %s "$group" > $out/group
    printf %s "$nsswitch" > $out/nsswitch.conf
    printf %s "$osRelease" > $out/os-release
    # A set that is made of a distribution's packages says so in its C library's.
    while read -r path; do
      if [ -f "$path/share/os-release" ]; then cp "$path/share/os-release" $out/os-release; fi
    done < $closure/store-paths
    ln -s ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt $out/ssl/certs/ca-certificates.crt
  ''
