# This repository's outputs for one system, from one package set.
{
  self,
  system,
  # The system's package set, and that of which images are made: the same, but on a Mac.
  pkgs,
  linux,
  # The commit, for the image's label.
  revision,
}:
let
  # psycopg2 is compiled against the set's libpq: docs/decisions.md.
  fromPackageSet = [ "psycopg2" ];

  imageFrom =
    pkgs:
    import ../mk-django-image.nix {
      inherit pkgs;
      src = ../../backend;
      inherit fromPackageSet;
      localEnv = {
        HTTPS_ONLY = "0";
        CORS_ALLOWED_ORIGINS = "@origin@";
      };
      inherit revision;
    };
  isMac = pkgs.lib.hasSuffix "-darwin" system;
  image =
    if isMac then
      pkgs.lib.warn "An image is Linux's: it takes a builder for ${
        builtins.replaceStrings [ "darwin" ] [ "linux" ] system
      }, by `nix run nixpkgs#darwin.linux-builder` or in /etc/nix/machines, without which Nix refuses to build it." (
        imageFrom linux
      )
    else
      imageFrom linux;
  # What runs without a container runs on this system.
  local = if isMac then imageFrom pkgs else image;
  postgresImage = import ./postgres-image.nix { pkgs = linux; };
  proxyImage = import ./proxy-image.nix { pkgs = linux; };
  development = import ../development {
    inherit pkgs;
    src = ../../backend;
    inherit fromPackageSet;
  };
in
{
  packages = {
    # With what `nixw` is to fetch for the checks, too.
    default = image // {
      seeds = image.seeds ++ development.gunicorn.seeds;
    };
    inherit image;
    image-stream = image.stream;
    inherit (image) oci;
    postgres-image = postgresImage;
    proxy-image = proxyImage;
    # What is in the image, for scanners: CycloneDX.
    inherit (image) sbom;
    # What the image is made of.
    inherit (image) project environment entrypoint;
  };
  apps = import ./apps.nix {
    inherit
      pkgs
      image
      local
      isMac
      ;
  };
  devShells.default = import ../development/shell.nix { inherit pkgs development; };
  checks = import ../development/checks.nix {
    inherit
      pkgs
      self
      development
      image
      isMac
      ;
  };
  inherit (development) formatter;
}
