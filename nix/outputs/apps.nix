# `nix run`: the project, from the same store paths as the image, on a PostgreSQL of its own; and the other programs.
{ pkgs, image }:
let
  bench = import ../development/bench.nix { inherit pkgs image; };
in
{
  default = {
    type = "app";
    program = "${image.run}/bin/run";
  };
  bench = {
    type = "app";
    program = "${bench}/bin/bench";
  };
  # The image to standard output, to be loaded without a file in between.
  image-stream = {
    type = "app";
    program = "${image.stream}";
  };
  push = {
    type = "app";
    program = "${image.push}/bin/push";
  };
}
