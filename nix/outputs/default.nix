# This repository's outputs for one system, from one package set.
{
  self,
  pkgs,
  # The commit, for the image's label.
  revision,
}:
let
  # psycopg2 is compiled against the set's libpq: docs/decisions.md.
  fromPackageSet = [ "psycopg2" ];

  image = import ../mk-django-image.nix {
    inherit pkgs;
    src = ../../backend;
    inherit fromPackageSet;
    localEnv = {
      HTTPS_ONLY = "0";
      CORS_ALLOWED_ORIGINS = "@origin@";
    };
    inherit revision;
  };
  postgresImage = import ./postgres-image.nix { inherit pkgs; };
  proxyImage = import ./proxy-image.nix { inherit pkgs; };
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
  apps = import ./apps.nix { inherit pkgs image; };
  devShells.default = import ../development/shell.nix { inherit pkgs development; };
  checks = import ../development/checks.nix {
    inherit
      pkgs
      self
      development
      image
      ;
  };
  inherit (development) formatter;
}
