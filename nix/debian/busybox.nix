# Debian's busybox with a link for each of its programs, as nixpkgs' has.
{
  builders,
  debian,
  build,
  isForeign,
}:
let
  # Debian configures it alike for every architecture.
  listing = if isForeign then "${build.busybox}" else "$out";
in
builders.runCommand "busybox" { meta.mainProgram = "busybox"; } ''
  cp -a ${debian.busybox}/. $out
  chmod -R u+w $out
  for applet in $(${listing}/bin/busybox --list); do
    [ -e $out/bin/$applet ] || ln -s busybox $out/bin/$applet
  done
''
