# This repository's outputs for one system, from one package set.
{ self, pkgs }:
let
  image = import ./mk-django-image.nix {
    inherit pkgs;
    src = ../backend;
    revision = self.rev or "dirty";
  };
  postgresImage = import ./postgres-image.nix { inherit pkgs; };
  development = import ./development.nix {
    inherit pkgs;
    src = ../backend;
  };
in
{
  packages = {
    default = image;
    inherit image;
    image-stream = image.stream;
    postgres-image = postgresImage;
    # What the image is made of.
    inherit (image) project environment entrypoint;
  };
  apps = import ./apps.nix { inherit pkgs image; };
  devShells.default = import ./shell.nix { inherit pkgs development; };
  checks = import ./checks.nix {
    inherit
      pkgs
      self
      development
      image
      ;
  };
  inherit (development) formatter;
}
