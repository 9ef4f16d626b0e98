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
  # The others are mk-django-image.nix's.
  name,
  tag,
  settingsModule,
  wsgiApplication,
  extraPrograms,
  env,
  uid,
  gid,
  revision,
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
  ]
  ++ extraPrograms;

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
        Interval = 10 * 1000000000;
        Timeout = 5 * 1000000000;
        StartPeriod = 300 * 1000000000;
        Retries = 3;
      };
      Env = lib.mapAttrsToList (variable: value: "${variable}=${toString value}") (
        {
          PATH = "${lib.makeBinPath programs}:/bin:/usr/bin";
          LANG = "C.UTF-8";
          PYTHONUTF8 = "1";
          SSL_CERT_FILE = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
          PYTHONUNBUFFERED = "1";
          PYTHONDONTWRITEBYTECODE = "1";
          DJANGO_SETTINGS_MODULE = settingsModule;
          WSGI_APPLICATION = wsgiApplication;
          ENTRYPOINT_FINGERPRINT = fingerprint;
        }
        // env
      );
      Labels = lib.mapAttrs' (label: value: lib.nameValuePair "org.opencontainers.image.${label}" value) (
        lib.filterAttrs (_: value: value != null) {
          title = name;
          inherit revision;
          description = project.metadata.description or null;
          version = project.metadata.version or null;
          source = project.metadata.urls.Repository or project.metadata.urls.Source or null;
        }
      );
    };
  };
in
pkgs.dockerTools.buildLayeredImage arguments
// {
  inherit environment entrypoint;
  project = project.package;
  # The same image as a program that writes it to standard output.
  stream = pkgs.dockerTools.streamLayeredImage arguments;
}
