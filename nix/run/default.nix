# `nix run`: the project, from the same store paths as the image, on a PostgreSQL of its own.
{
  pkgs,
  # The folder that the image has as /app.
  application,
  environment,
  entrypoint,
  # The image's environment variables, as a set. Those that are set already win.
  variables,
}:
let
  inherit (pkgs) lib;
  inherit (import ../versions.nix pkgs) postgresql;
in
pkgs.writeShellScriptBin "run" ''
  ${lib.concatStringsSep "\n" (
    lib.mapAttrsToList (
      name: value: "[ -n \"\${${name}:-}\" ] || export ${name}=${lib.escapeShellArg (toString value)}"
    ) variables
  )}
  export PATH=${
    lib.makeBinPath [
      environment
      postgresql
      pkgs.busybox
    ]
  }
  exec python3 ${./.} --project ${application} --entrypoint ${entrypoint}/bin/entrypoint "$@"
''
