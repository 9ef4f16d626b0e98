# `nix run`: the project, from the same store paths as the image, on a PostgreSQL of its own; and the other programs.
{
  pkgs,
  image,
  # The OCI layout that is pushed: of the image, or of an index.
  pushed,
  # The image's project for this system.
  local,
  # What works on Linux's programs is not for a Mac.
  isMac,
}:
let
  proof = import ../proof { inherit pkgs; };
  bench = import ../development/bench.nix { inherit pkgs image; };
  init = pkgs.writeShellScriptBin "init" ''
    exec ${(import ../versions.nix pkgs).python}/bin/python3 ${../init}/init.py ${../../templates/default/flake.nix} "$@"
  '';
  app = description: program: {
    type = "app";
    inherit program;
    meta = { inherit description; };
  };
in
{
  default = app "The backend on a PostgreSQL of its own" "${local.run}/bin/run";
  init = app "Write the flake.nix of the Django project in the current folder" "${init}/bin/init";
}
// pkgs.lib.optionalAttrs (!isMac) {
  bench = app "Measure boot, size and rebuild" "${bench}/bin/bench";
  # To be loaded without a file in between.
  image-stream = app "Write the image to standard output" "${image.stream}";
  verify = app "Is an image in a registry what its revision builds?" "${proof.verify}/bin/verify";
  diff = app "What has changed from one image to another" "${proof.diff}/bin/diff";
  push = app "Push the image to a registry, only the layers that it lacks" "${pushed.push}/bin/push";
}
