# The image of a Django project; in the flake as `lib.mkDjangoImage`.
{
  # A package set: nixpkgs, or one with its interface.
  pkgs,
  # The project: a folder with manage.py and pyproject.toml. The latter's dependencies are what the image has.
  src,
  # Its pyproject.toml, where that lies elsewhere.
  pyproject ? src + "/pyproject.toml",
  # The image's name. The default is the project's, from pyproject.toml.
  name ? null,
  # The image's tag. The default is `latest` for `docker load`, and the project's version in a registry.
  tag ? null,
  # The settings module, and the WSGI application that gunicorn serves.
  settingsModule ? "config.settings.production",
  wsgiApplication ? "${builtins.head (builtins.split "\\." settingsModule)}.wsgi:application",
  # More Python packages: a function from the package set's to a list.
  extraPackages ? (_: [ ]),
  # More packages whose programs the application runs.
  extraPrograms ? [ ],
  # More environment variables.
  env ? { },
  # Environment variables for `nix run` alone, where they are not set already: for plain http on this machine. @origin@,
  # @secret_key@, @database_url@, @database_host@ (and _port, _name, _user, _password) are filled in. The default has
  # SECRET_KEY, ALLOWED_HOSTS, CSRF_TRUSTED_ORIGINS, DATABASE_URL and POSTGRES_*; null takes one out.
  localEnv ? { },
  # Folders of the project that the application may write to.
  writable ? [
    "staticfiles"
    "media"
    "logs"
  ],
  # The number of the user, and of its group. Its name is always `django`.
  uid ? 1000,
  gid ? uid,
  # The revision of the source, for the image's labels.
  revision ? null,
}:
let
  inherit (pkgs) lib;
  project = import ./image/project.nix {
    inherit
      pkgs
      src
      pyproject
      settingsModule
      wsgiApplication
      ;
    pythonPath = env.PYTHONPATH or "";
  };
  environment = (import ./python { inherit pkgs; }).environment {
    inherit (project.metadata) dependencies;
    # The boot sequence drives gunicorn, whoever else asks for it.
    extraPackages = packages: [ packages.gunicorn ] ++ extraPackages packages;
  };
  entrypoint = import ./image/entrypoint.nix { inherit pkgs; };
in
import ./image {
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
    localEnv
    writable
    uid
    gid
    revision
    ;
  name = if name != null then name else project.metadata.name;
}
