# All that this project asks of nixpkgs, in one place: a package set for evaluation that has nothing else, and whose functions
# take no other arguments. What is not written here fails to evaluate (outputs.nix).
{
  system,
  # The Python that the set has.
  minor ? "13",
  # What builds it: the same, but in `pkgsCross`.
  machine ? system,
}:
let
  # The set of the machine that builds, whose programs are run.
  build = import ./nixpkgs.nix {
    system = machine;
    inherit minor;
  };
  isLinux = builtins.match ".*-linux" system != null;

  # Those of `lib`'s functions that are nixpkgs' too.
  lib =
    builtins.intersectAttrs (builtins.listToAttrs (
    map
      (name: {
        inherit name;
        value = null;
      })
      [
        "all"
        "any"
        "cleanSourceWith"
        "concatLists"
        "concatMap"
        "concatMapStringsSep"
        "concatStringsSep"
        "elem"
        "escapeShellArg"
        "escapeShellArgs"
        "filter"
        "filterAttrs"
        "foldr"
        "genAttrs"
        "hasPrefix"
        "hasSuffix"
        "head"
        "importJSON"
        "isAttrs"
        "makeBinPath"
        "mapAttrs"
        "mapAttrs'"
        "mapAttrsToList"
        "nameValuePair"
        "optional"
        "optionalAttrs"
        "optionalString"
        "optionals"
        "removePrefix"
        "throwIf"
        "throwIfNot"
        "toLower"
        "unique"
      ]
  )) (import ../../nix/debian/lib.nix)
  // {
    # Says it, in nixpkgs.
    warn = _: value: value;
  };

  # A package, and what may be asked of it besides its store path.
  package =
    name: content: attributes:
    {
      inherit
        (derivation {
          inherit name system;
          builder = "none";
          args = content;
        })
        type
        name
        outPath
        drvPath
        outputName
        ;
    }
    // attributes;
  packages =
    names:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = package name [ ] { };
      }) names
    );

  text = name: content: package name [ content ] { };

  image =
    {
      name,
      tag,
      config,
      extraCommands,
      fakeRootCommands,
      layeringPipeline ? null,
    }:
    package "image" [
      name
      tag
      (builtins.toJSON config)
      extraCommands
      fakeRootCommands
      (builtins.toJSON layeringPipeline)
    ] { };

  python =
    package "python3" [ ] {
      version = "3.${minor}.9";
      pythonVersion = "3.${minor}";
      interpreter = "python3";
      sitePackages = "lib/python3.${minor}/site-packages";
      pythonOnBuildForHost = build."python3${minor}";
      pkgs =
        builtins.listToAttrs (
          map
            (name: {
              inherit name;
              value = package name [ ] {
                pname = name;
                version = if name == "django" then "5.2.9" else "99";
                pythonModule = true;
                requiredPythonModules = [ python ];
                optional-dependencies = {
                  c = [ ];
                  pool = [ ];
                };
              };
            })
            [
              # For the checks.
              "cyclonedx-python-lib"
              "django-configurations"
              "hypothesis"
              "jsonschema"
              "mypy"
              "opentelemetry-distro"
              "opentelemetry-instrumentation-asgi"
              "opentelemetry-instrumentation-django"
              "packaging"
              "pytest"
              "pytest-django"
              "pytest-xdist"
              # For images.
              "django"
              "gunicorn"
              "psycopg2"
              "whitenoise"
              # To sign them.
              "cryptography"
              "pynacl"
              # To build source distributions.
              "flit-core"
              "hatchling"
              "poetry-core"
              "setuptools"
              "setuptools-scm"
              "wheel"
            ]
        )
        // {
          buildPythonPackage =
            {
              pname,
              version,
              src,
              passthru ? { },
              format ? null,
              pyproject ? false,
              build-system ? [ ],
              preBuild ? "",
              dependencies ? [ ],
              dontStrip ? false,
              pypaBuildFlags ? [ ],
              dontCheckRuntimeDeps ? false,
              nativeBuildInputs ? [ ],
              buildInputs ? [ ],
              doCheck ? false,
              checkPhase ? "",
              postInstall ? "",
              postFixup ? "",
            }:
            package "${pname}-${version}" ([ "${src}" preBuild postInstall postFixup ] ++ build-system ++ dependencies ++ nativeBuildInputs ++ buildInputs) (
              {
                inherit pname version;
                pythonModule = true;
                requiredPythonModules = [ python ] ++ dependencies;
              }
              // passthru
            );
        };
      buildEnv.override =
        {
          extraLibs,
          ignoreCollisions ? false,
        }:
        package "python3-env" extraLibs { };
    };
in
{
  inherit lib;

  runCommand =
    name: environment: command:
    # It does nothing on a set whose `config.structuredAttrsByDefault` is true.
    assert !(environment ? passAsFile);
    package name [
      command
      (builtins.toJSON (removeAttrs environment [ "meta" ]))
    ] { };
  writeText = text;
  writeShellScriptBin = text;
  closureInfo = { rootPaths }: package "closure-info" rootPaths { };
  fetchurl =
    {
      name,
      url,
      sha256,
    }:
    text name "${url} ${sha256}";
  fetchPypi =
    {
      pname,
      version,
      sha256,
      format ? "setuptools",
      extension ? "tar.gz",
      dist ? "",
      python ? "",
      abi ? "",
      platform ? "",
    }:
    text pname version;
  mkShell =
    {
      packages,
      shellHook,
    }:
    package "shell" packages { };

  dockerTools = {
    buildLayeredImage = image;
    streamLayeredImage = image;
  };
  "python3${minor}" = python;
  buildPackages = build;
  stdenv = {
    hostPlatform = { inherit system; };
    buildPlatform = {
      system = machine;
      canExecute = platform: platform.system == machine;
    };
  };
  postgresql_17 = package "postgresql" [ ] { version = "17.7"; };
}
// packages [
  "bashInteractive"
  "cacert"
  "cosign"
  "haproxy"
  "nixfmt"
  "oras"
  "ruff"
  "skopeo"
  "syft"
  "tzdata"
  # To build source distributions.
  "curl"
  "cyrus_sasl"
  "libffi"
  "libjpeg"
  "libmysqlclient"
  "libxml2"
  "libxslt"
  "openldap"
  "openssl"
  "pkg-config"
  "zlib"
]
// {
  libpq = package "libpq" [ ] { pg_config = package "pg_config" [ ] { }; };
}
# What Linux alone has.
// (
  if isLinux then
    packages [
      "autoPatchelfHook"
      "busybox"
      "removeReferencesTo"
      "tini"
    ]
    // {
      pythonManylinuxPackages.manylinux2014 = [ ];
    }
  else
    { }
)
# Known everywhere, and there on Linux.
// {
  glibc.version = if isLinux then "2.42-51" else throw "there is no C library of GNU's";
}
