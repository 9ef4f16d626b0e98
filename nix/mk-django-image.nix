# The image of a Django project; in the flake as `lib.mkDjangoImage`.
{
  # A package set: nixpkgs, or one with its interface.
  pkgs,
  # The project: a folder with manage.py and pyproject.toml. The latter's dependencies are what the image has.
  src,
  # The image's name. The default is the project's, from pyproject.toml.
  name ? null,
  # The image's tag.
  tag ? "latest",
  # The settings module, and the WSGI application that gunicorn serves.
  settingsModule ? "config.settings.production",
  wsgiApplication ? "config.wsgi:application",
  # More Python packages: a function from the package set's to a list.
  extraPackages ? (_: [ ]),
  # More packages whose programs the application runs.
  extraPrograms ? [ ],
  # More environment variables.
  env ? { },
  # The number of the user, and of its group. Its name is always `django`.
  uid ? 1000,
  gid ? uid,
  # The revision of the source, for the image's labels.
  revision ? null,
}:
let
  inherit (pkgs) lib;
  project = import ./project.nix { inherit pkgs src settingsModule; };
  environment = (import ./python.nix { inherit pkgs; }).environment {
    inherit (project) pyproject;
    inherit extraPackages;
  };
  entrypoint = import ./entrypoint.nix { inherit pkgs; };
in
import ./image.nix {
  inherit
    pkgs
    project
    environment
    entrypoint
    tag
    settingsModule
    wsgiApplication
    extraPrograms
    env
    uid
    gid
    revision
    ;
  name = if name != null then name else project.metadata.name;
}
