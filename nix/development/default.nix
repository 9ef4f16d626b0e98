# What a developer has and the tests run with.
{
  pkgs,
  # As in ../mk-django-image.nix.
  src,
  fromPackageSet ? [ ],
  languages ? null,
}:
let
  inherit (pkgs) lib;
  inherit (import ../versions.nix pkgs) postgresql;
  project = import ../image/project.nix { inherit pkgs src; };
  nixfmt = lib.optional (pkgs ? nixfmt) pkgs.nixfmt;
in
{
  # The project's environment and the tests' packages.
  environment = import ../python {
    inherit
      pkgs
      project
      fromPackageSet
      languages
      ;
    inherit (project) python;
    groups = null;
    extras = [ ];
    libraries = _: [ ];
    buildSystems = _: [ ];
    extraPackages = packages: [
      packages.cryptography
      packages.cyclonedx-python-lib
      packages.django-configurations
      packages.hypothesis
      packages.jsonschema
      packages.mypy
      packages.opentelemetry-distro
      packages.opentelemetry-instrumentation-asgi
      packages.opentelemetry-instrumentation-django
      packages.packaging
      packages.pynacl
      packages.pytest
      packages.pytest-django
      packages.pytest-xdist
    ];
  };

  # An environment to test the server with the lowest gunicorn.
  gunicorn = import ./gunicorn.nix {
    inherit pkgs;
    inherit (project) python;
  };

  programs = [
    postgresql
    pkgs.ruff
    pkgs.skopeo
    pkgs.syft
  ]
  ++ nixfmt
  # What signatures and artifacts are held against in tests/registry, where the set has it.
  ++ lib.optional (pkgs ? cosign) pkgs.cosign
  ++ lib.optional (pkgs ? oras) pkgs.oras;

  # `nix fmt [FOLDER...]`: Python, and Nix where the set has the official formatter. Debian has none.
  formatter = pkgs.writeShellScriptBin "format" ''
    [ $# -gt 0 ] || set -- .
    ${pkgs.ruff}/bin/ruff format "$@"
    ${lib.concatMapStringsSep "\n" (package: ''
      find "$@" -name '*.nix' -type f -exec ${package}/bin/nixfmt {} +
    '') nixfmt}
  '';
}
