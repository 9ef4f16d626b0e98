# This repository's outputs for one system, from one package set.
{
  self,
  system,
  # The system's package set, and that of which images are made: the same, but on a Mac.
  pkgs,
  linux,
  # That of the other architecture of Linux, or null.
  other,
  # The commit, for the image's label.
  revision,
}:
let
  inherit (pkgs) lib;

  # psycopg2 is compiled against the set's libpq: docs/decisions.md.
  fromPackageSet = [ "psycopg2" ];
  # Nobody chooses another: there is no LocaleMiddleware.
  languages = [ "en" ];

  imageFrom =
    pkgs:
    import ../mk-django-image.nix {
      inherit pkgs;
      src = ../../backend;
      inherit fromPackageSet languages;
      localEnv = {
        HTTPS_ONLY = "0";
        CORS_ALLOWED_ORIGINS = "@origin@";
      };
      inherit revision;
    };
  isMac = lib.hasSuffix "-darwin" system;
  image =
    if isMac then
      lib.warn "An image is Linux's: it takes a builder for ${
        builtins.replaceStrings [ "darwin" ] [ "linux" ] system
      }, by `nix run nixpkgs#darwin.linux-builder` or in /etc/nix/machines, without which Nix refuses to build it." (
        imageFrom linux
      )
    else
      imageFrom linux;
  # What runs without a container runs on this system.
  local = if isMac then imageFrom pkgs else image;
  # Under the name of its architecture, an image is the same package on every system.
  architectureOf =
    pkgs: if lib.hasPrefix "x86_64-" pkgs.stdenv.hostPlatform.system then "amd64" else "arm64";
  otherImage = imageFrom other;
  index = image.indexWith [ otherImage ];
  # Whether what is made of this set can be run, to be tested, where it is built.
  isOwn = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;

  postgresImage = import ./postgres-image.nix { pkgs = linux; };
  proxyImage = import ./proxy-image.nix { pkgs = linux; };
  development = import ../development {
    inherit pkgs;
    src = ../../backend;
    inherit fromPackageSet languages;
  };
in
{
  packages = {
    # With what `nixw` is to fetch for the checks, too.
    default = image // {
      seeds = image.seeds ++ development.gunicorn.seeds;
    };
    inherit image;
    "image-${architectureOf linux}" = image;
    image-stream = image.stream;
    inherit (image) oci;
    # What is in the image, for scanners: CycloneDX.
    inherit (image) sbom;
    # What the image is made of.
    inherit (image) project environment entrypoint;
  }
  // lib.optionalAttrs isOwn {
    postgres-image = postgresImage;
    proxy-image = proxyImage;
  }
  // lib.optionalAttrs (other != null) {
    # `nixw` fetches what it takes only if it is asked for.
    "image-${architectureOf other}" = removeAttrs otherImage [ "seeds" ];
    oci-index = index;
  };
  apps = import ./apps.nix {
    inherit
      pkgs
      image
      local
      isMac
      ;
    # What is for another architecture than the machine's has no other one to it.
    pushed = if other != null && isOwn then index else image;
  };
  devShells.default = import ../development/shell.nix { inherit pkgs development; };
  checks = lib.optionalAttrs isOwn (
    import ../development/checks.nix {
      inherit
        pkgs
        self
        development
        image
        isMac
        ;
    }
  );
  inherit (development) formatter;
}
