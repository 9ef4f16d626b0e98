# `nix run`: the project, from the same store paths as the image, on a PostgreSQL of its own.
{
  pkgs,
  # The folder that the image has as /app.
  application,
  environment,
  entrypoint,
  # The image's environment variables, as a set. Those that are set already win.
  variables,
  # ../mk-django-image.nix's.
  localEnv,
}:
let
  inherit (pkgs) lib;
  isMac = lib.hasSuffix "-darwin" pkgs.stdenv.hostPlatform.system;
  inherit (import ../versions.nix pkgs) postgresql;

  # The names that most projects know. local_env.py says what stands for @...@.
  conventions = {
    SECRET_KEY = "@secret_key@";
    ALLOWED_HOSTS = "127.0.0.1,localhost";
    CSRF_TRUSTED_ORIGINS = "@origin@";
    DATABASE_URL = "@database_url@";
    POSTGRES_HOST = "@database_host@";
    POSTGRES_PORT = "@database_port@";
    POSTGRES_DB = "@database_name@";
    POSTGRES_USER = "@database_user@";
    POSTGRES_PASSWORD = "@database_password@";
  };
  local = pkgs.writeText "environment.json" (
    builtins.toJSON (lib.filterAttrs (_: value: value != null) (conventions // localEnv))
  );
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
    ]
  }:${if isMac then "/usr/bin:/bin" else "${pkgs.busybox}/bin"}
  exec python3 ${./.} --project ${application} --entrypoint ${entrypoint}/bin/entrypoint \
    --environment ${local} "$@"
''
