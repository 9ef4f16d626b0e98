# This repository's outputs for one system, from one package set.
{ self, pkgs }:
let
  backend = import ./project.nix {
    inherit pkgs;
    src = ../backend;
  };
  python = import ./python.nix { inherit pkgs; };
  environment = python.environment { inherit (backend) pyproject; };
  entrypoint = import ./entrypoint.nix { inherit pkgs; };
  image = import ./image.nix {
    inherit pkgs environment entrypoint;
    project = backend;
    name = "eatfit24-backend";
    revision = self.rev or "dirty";
    source = "https://github.com/eatfit24/backend";
  };
  postgresImage = import ./postgres-image.nix { inherit pkgs; };
  development = import ./development.nix {
    inherit pkgs python;
    inherit (backend) pyproject;
  };
in
{
  packages = {
    default = image;
    inherit image;
    image-stream = image.stream;
    postgres-image = postgresImage;
    python = environment;
    project = backend.package;
    inherit entrypoint;
  };
  apps = import ./apps.nix {
    inherit pkgs environment entrypoint;
    project = backend.package;
  };
  devShells.default = import ./shell.nix { inherit pkgs development; };
  checks = import ./checks.nix {
    inherit pkgs self development image;
    project = backend;
  };
  formatter = development.formatter;
}
