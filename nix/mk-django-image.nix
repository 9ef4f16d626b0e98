# The image of a Django project; in the flake as `lib.mkDjangoImage`.
{
  # A package set: nixpkgs, or one with its interface.
  pkgs,
  # The project: a folder with manage.py, and pyproject.toml or a lock, uv.lock or pylock.toml, or both. What the image has is
  # exactly what the lock says; without one, what the package set has for the dependencies in pyproject.toml.
  src,
  # Its pyproject.toml, where that lies elsewhere.
  pyproject ? src + "/pyproject.toml",
  # The Python, such as `pkgs.python314`. The default is the one that .python-version names, if `requires-python` allows it
  # and the package set has it, else 3.13, else what `requires-python` allows.
  python ? null,
  # The image's name. The default is the project's, from pyproject.toml; without that it must be said.
  name ? null,
  # The image's tag. The default is `latest` for `docker load`, and the project's version in a registry.
  tag ? null,
  # The settings module, and the WSGI application that gunicorn serves.
  settingsModule ? "config.settings.production",
  wsgiApplication ? "${builtins.head (builtins.split "\\." settingsModule)}.wsgi:application",
  # The ASGI application that gunicorn's ASGI worker serves instead.
  asgiApplication ? null,
  # Of the lock: the dependency groups, by default the project's default groups without `dev`, and the extras.
  groups ? null,
  extras ? [ ],
  # Names of packages that are the package set's, whatever version the lock says: those that are better compiled against
  # the set's own libraries, such as psycopg2.
  fromPackageSet ? [ ],
  # The languages, as in LANGUAGES (`[ "de" "pt-br" ]`), into which packages of the lock stay translated, besides English. The
  # default is all that they have.
  languages ? null,
  # Libraries that compiled wheels load beyond what all wheels may take for granted, and source distributions are compiled
  # with beyond the usual ones (nix/python/package.nix lists these): a function from the package set to a list. On the Debian set, `nixw add --debian PACKAGE` does it.
  libraries ? (_: [ ]),
  # Python packages that source distributions are built with, besides the usual ones (setuptools, hatchling, poetry-core,
  # flit-core): a function from the package set's to a list. With a pylock.build.toml, that says it.
  buildSystems ? (_: [ ]),
  # More Python packages, unless the lock has them: a function from the package set's to a list.
  extraPackages ? (_: [ ]),
  # More packages whose programs the application runs.
  extraPrograms ? [ ],
  # The layers of store paths, lowest first: a function from the image's parts (`system`, `python`, `django`, `packages` and
  # `extraPrograms`) to a list of lists of packages. Each layer has its packages and what these need, as far as no lower one
  # has it. What changes often, or is another image's too, is worth a layer; each takes an engine time to pull, however small.
  layers ?
    parts: [
      parts.system
      [ parts.python ]
      parts.django
      (parts.packages ++ parts.extraPrograms)
    ],
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
  # The number of the user, and of its group. Its name is always `django`. With `gid = 0` the writable folders are the
  # group's too, so that any uid with the group root can boot the image, as OpenShift has it.
  uid ? 1000,
  gid ? uid,
  # The revision of the source, for the image's labels. In the flake, `nixw` gives it where this is null.
  revision ? null,
}:
let
  inherit (pkgs) lib;
  project = import ./image/project.nix {
    inherit
      pkgs
      python
      src
      pyproject
      name
      settingsModule
      ;
    # One that is not served may be missing; that the other one is there, the boot says.
    wsgiApplication = if asgiApplication == null then wsgiApplication else null;
    pythonPath = env.PYTHONPATH or "";
  };
  environment = import ./python {
    inherit
      pkgs
      project
      groups
      extras
      fromPackageSet
      languages
      libraries
      buildSystems
      ;
    inherit (project) python;
    # The boot sequence drives gunicorn, whoever else asks for it.
    extraPackages = packages: [ packages.gunicorn ] ++ extraPackages packages;
  };
  entrypoint = import ./image/entrypoint.nix {
    inherit pkgs environment;
    inherit (project) python;
  };
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
    layers
    localEnv
    writable
    uid
    gid
    revision
    ;
  name = if name != null then name else project.metadata.name;
  env = lib.optionalAttrs (asgiApplication != null) { ASGI_APPLICATION = asgiApplication; } // env;
}
