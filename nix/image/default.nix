# The image of a Django project. Store paths are layers of their own, and the application alone lies on top of them.
{
  # A package set: nixpkgs, or one with its interface.
  pkgs,
  # The project, from project.nix.
  project,
  # Its Python environment, from ../python.
  environment,
  # The boot sequence, from entrypoint.nix.
  entrypoint,
  # The others are ../mk-django-image.nix's.
  name,
  tag,
  settingsModule,
  wsgiApplication,
  extraPrograms,
  layers,
  env,
  localEnv,
  # Made here, so that nobody has to make them at run time.
  writable,
  uid,
  gid,
  revision,
}:
let
  inherit (pkgs) lib;

  user = "${toString uid}:${toString gid}";
  # Who belongs to the group root may write there, whatever uid the platform has chosen: OpenShift's rule.
  mode = if gid == 0 then "775" else "755";

  pg_isready = import ./pg-isready.nix { inherit pkgs; };
  programs = [
    environment
    entrypoint
    pg_isready
    pkgs.busybox
  ]
  ++ extraPrograms;

  # What layers are made of.
  parts = {
    inherit (project) python;
    inherit extraPrograms;
    system = [
      pkgs.tini
      pkgs.busybox
      pkgs.cacert
      pkgs.tzdata
      pg_isready
    ];
    django = lib.filter (package: lib.toLower package.pname == "django") environment.packages;
    inherit (environment) packages;
  };

  application = project.packageWith environment;

  etc = import ./etc.nix { inherit pkgs uid gid; };

  # Whatever of the image is not the application.
  closure = import ./closure.nix {
    inherit pkgs;
    references = programs ++ [
      pkgs.tini
      pkgs.cacert
      pkgs.tzdata
      env
    ];
  };

  distribution = import ./distribution.nix { inherit pkgs name closure; };

  sbom = import ./sbom {
    inherit name closure;
    pkgs = pkgs.buildPackages;
    inherit (project) metadata;
    inherit (environment) locked;
  };

  # A registry keeps each version; an engine has the newest. `+` and `!` are for versions, not for tags.
  version = builtins.replaceStrings [ "+" "!" ] [ "-" "-" ] (project.metadata.version or "latest");
  tagOr = default: if tag != null then tag else default;

  arguments = {
    inherit name;
    tag = tagOr "latest";
    layeringPipeline = import ./layers.nix {
      inherit lib;
      layers = layers parts;
    };

    extraCommands = ''
      cp -r ${application} app
      cp -r ${etc} etc
      chmod u+w etc
      cp -r ${distribution}/. .
      chmod -R u+w .
      mkdir -p usr/share/sbom
      cp ${sbom} usr/share/sbom/${sbom.name}
      mkdir -p bin usr/bin usr/share tmp ${lib.concatMapStringsSep " " (folder: "app/${folder}") writable}
      ln -s ${pkgs.busybox}/bin/sh bin/sh
      ln -s ${pkgs.busybox}/bin/env usr/bin/env
      ln -s ${pkgs.tzdata}/share/zoneinfo usr/share/zoneinfo
      # Data that a library looks for where distributions have it.
      for data in ${environment}/share/*; do
        if [ -e "$data" ] && [ ! -e "usr/share/''${data##*/}" ]; then ln -s "$data" usr/share/; fi
      done
    '';

    # The application's files are root's. /app is the server's, which can make, rename and replace what lies in it: only a
    # read-only root forbids that.
    fakeRootCommands = ''
      # What the layer's files are dated; nixpkgs' builder takes it from here, and would say 1980.
      export SOURCE_DATE_EPOCH=1
      chown ${user} app ${lib.concatMapStringsSep " " (folder: "app/${folder}") writable}
      chmod 755 app bin etc usr usr/bin usr/share
      chmod ${mode} ${lib.concatMapStringsSep " " (folder: "app/${folder}") writable}
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
          # Said here, it spares each start the reading of how Python was configured.
          PYTHONTZPATH = "${pkgs.tzdata}/share/zoneinfo";
          SSL_CERT_FILE = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
          PYTHONUNBUFFERED = "1";
          PYTHONDONTWRITEBYTECODE = "1";
          DJANGO_SETTINGS_MODULE = settingsModule;
          WSGI_APPLICATION = wsgiApplication;
        }
        // env
      );
      Labels = import ./labels.nix {
        inherit lib name revision;
        inherit (project) metadata;
      };
    };
  };

  stream = pkgs.dockerTools.streamLayeredImage arguments;
  oci = import ./oci.nix {
    inherit name stream;
    pkgs = pkgs.buildPackages;
  };
  referrers = import ./referrers {
    inherit
      name
      oci
      sbom
      revision
      ;
    pkgs = pkgs.buildPackages;
    inherit (pkgs.stdenv.hostPlatform) system;
    source = arguments.config.Labels."org.opencontainers.image.source" or null;
  };
in
pkgs.dockerTools.buildLayeredImage arguments
// {
  inherit environment entrypoint sbom;
  inherit (environment) sources;
  # What `nixw` puts into the store for it: files by name, version and hash, and what the package set says besides.
  seeds =
    map (archive: removeAttrs archive [ "local" ]) (
      lib.filter (archive: archive != null && !archive.local) (
        lib.unique (
          lib.concatMap (
            package: map (each: each.archive) ([ package ] ++ package.builtWith)
          ) environment.locked
        )
      )
    )
    ++ lib.unique (lib.concatMap (package: package.seeds or [ ]) environment.locked);
  inherit (arguments) config;
  project = application;
  # The same image as a program that writes it to standard output, as an OCI image layout, and as a program that pushes
  # it to a registry.
  inherit stream oci;
  # What a push puts beside it.
  inherit referrers;
  push = import ./push {
    inherit oci;
    pkgs = pkgs.buildPackages;
    referrers = [ referrers ];
    tag = tagOr version;
  };
  # The same image together with those for other architectures, which are given: one name for all of them.
  indexWith = import ./oci-index.nix {
    inherit name oci referrers;
    pkgs = pkgs.buildPackages;
    tag = tagOr version;
  };
  # Whether an image in a registry is what its revision builds; and what has changed from one image to another.
  inherit (import ../proof { pkgs = pkgs.buildPackages; }) verify diff;
  # The same project, run without a container.
  run = import ../run {
    inherit
      pkgs
      application
      environment
      entrypoint
      localEnv
      ;
    variables = {
      DJANGO_SETTINGS_MODULE = settingsModule;
      WSGI_APPLICATION = wsgiApplication;
    }
    // env;
  };
}
