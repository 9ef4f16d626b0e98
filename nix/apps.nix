# `nix run`: the project, from the same store paths as the image, on a PostgreSQL of its own.
{ pkgs, image }:
let
  run = pkgs.writeShellScriptBin "run" ''
    export PATH=${
      pkgs.lib.makeBinPath [
        image.environment
        pkgs.postgresql_17
        pkgs.busybox
      ]
    }
    exec python3 ${./run} --project ${image.project} --entrypoint ${image.entrypoint}/bin/entrypoint "$@"
  '';
in
{
  default = {
    type = "app";
    program = "${run}/bin/run";
  };
}
