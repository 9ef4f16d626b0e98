# Debian's busybox with a link for each of its programs, as nixpkgs' has.
{ builders, debian }:
builders.runCommand "busybox" { meta.mainProgram = "busybox"; } ''
  cp -a ${debian.busybox}/. $out
  chmod -R u+w $out
  for applet in $($out/bin/busybox --list); do
    [ -e $out/bin/$applet ] || ln -s busybox $out/bin/$applet
  done
''
