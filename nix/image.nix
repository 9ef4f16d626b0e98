# The image of a Django project. Store paths are layers of their own, and the application alone lies on top of them.
{
  # A package set: nixpkgs, or one with its interface.
  pkgs,
  # The project, from project.nix.
  project,
  # Its Python environment, from python.nix.
  environment,
  # The boot sequence, from entrypoint.nix.
  entrypoint,
  # The image's name and tag.
  name,
  tag ? "latest",
  # The module in DJANGO_SETTINGS_MODULE, and what gunicorn serves.
  settingsModule ? "config.settings.production",
  wsgiApplication ? "config.wsgi:application",
  # Who runs it. The account is named `django` whatever its number.
  uid ? 1000,
  gid ? uid,
  # More environment variables, as a set.
  env ? { },
  # Where the source is, and which revision of it this is; said in the image's labels.
  source ? null,
  revision ? null,
}:
let
  inherit (pkgs) lib;

  user = "${toString uid}:${toString gid}";

  # Writable by the user, made here, so that nobody has to make them at run time.
  writable = [
    "staticfiles"
    "media"
    "logs"
  ];

  # Of PostgreSQL's programs the image has this one. Copied out, it takes none of the others with it.
  pgIsReady = pkgs.runCommand "pg_isready" { nativeBuildInputs = [ pkgs.removeReferencesTo ]; } ''
    mkdir -p $out/bin
    cp -L ${pkgs.postgresql_17}/bin/pg_isready $out/bin/pg_isready
    chmod u+w $out/bin/pg_isready
    remove-references-to -t ${pkgs.postgresql_17} $out/bin/pg_isready
  '';

  programs = [
    environment
    entrypoint
    pgIsReady
    pkgs.busybox
  ];

  # The same contents have the same fingerprint: what was collected from them need not be collected again.
  fingerprint = builtins.hashString "sha256" (
    builtins.unsafeDiscardStringContext "${project.package} ${environment}"
  );

  etc = import ./etc.nix {
    inherit
      pkgs
      name
      uid
      gid
      ;
    # Whatever of the image is not the application.
    contents = programs ++ [
      pkgs.tini
      pkgs.cacert
      pkgs.tzdata
    ];
  };

  arguments = {
    inherit name tag;

    extraCommands = ''
      cp -r ${project.package} app
      cp -r ${etc} etc
      chmod u+w app etc
      mkdir -p bin usr/bin usr/share tmp ${lib.concatMapStringsSep " " (folder: "app/${folder}") writable}
      ln -s ${pkgs.busybox}/bin/sh bin/sh
      ln -s ${pkgs.busybox}/bin/env usr/bin/env
      ln -s ${pkgs.tzdata}/share/zoneinfo usr/share/zoneinfo
    '';

    # The application's files are root's: the server cannot rewrite its own code.
    fakeRootCommands = ''
      chown ${user} app ${lib.concatMapStringsSep " " (folder: "app/${folder}") writable}
      chmod 755 app ${lib.concatMapStringsSep " " (folder: "app/${folder}") writable} bin etc usr usr/bin usr/share
      chmod 1777 tmp
    '';

    config = {
      Entrypoint = [
        "${pkgs.tini}/bin/tini"
        "--"
        "${environment}/bin/python3"
        "${entrypoint}/bin/entrypoint"
      ];
      # Numeric, so that Kubernetes' runAsNonRoot can tell that it is not root.
      User = user;
      WorkingDir = "/app";
      ExposedPorts."8000/tcp" = { };
      StopSignal = "SIGTERM";
      Healthcheck = {
        Test = [
          "CMD"
          "${environment}/bin/python3"
          "-S"
          "${entrypoint}/bin/entrypoint"
          "healthcheck"
        ];
        # In nanoseconds. The first minutes are for waiting and migrating.
        Interval = 30 * 1000000000;
        Timeout = 10 * 1000000000;
        StartPeriod = 300 * 1000000000;
        Retries = 3;
      };
      Env = lib.mapAttrsToList (variable: value: "${variable}=${toString value}") (
        {
          PATH = "${lib.makeBinPath programs}:/bin:/usr/bin";
          LANG = "C.UTF-8";
          SSL_CERT_FILE = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
          PYTHONUNBUFFERED = "1";
          PYTHONDONTWRITEBYTECODE = "1";
          DJANGO_SETTINGS_MODULE = settingsModule;
          WSGI_APPLICATION = wsgiApplication;
          ENTRYPOINT_FINGERPRINT = fingerprint;
        }
        // env
      );
      Labels =
        {
          "org.opencontainers.image.title" = name;
          "org.opencontainers.image.version" = tag;
        }
        // lib.optionalAttrs (source != null) { "org.opencontainers.image.source" = source; }
        // lib.optionalAttrs (revision != null) { "org.opencontainers.image.revision" = revision; };
    };
  };
in
pkgs.dockerTools.buildLayeredImage arguments
// {
  # The same image as a program that writes it to standard output.
  stream = pkgs.dockerTools.streamLayeredImage arguments;
}
