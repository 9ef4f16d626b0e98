# The store paths of an image, a line each: what `references` refer to, and all that this needs.
{ pkgs, references }:
let
  # One path that refers to all of it, and is not in the image itself.
  roots = pkgs.writeText "roots" (builtins.toJSON references);
in
pkgs.runCommand "closure" { info = pkgs.closureInfo { rootPaths = [ roots ]; }; } ''
  grep -vxF ${roots} $info/store-paths | sort > $out
''
