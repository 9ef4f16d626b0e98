# What a developer has and the tests run with.
{
  pkgs,
  # The project, as in ../mk-django-image.nix.
  src,
}:
let
  inherit (import ../versions.nix pkgs) postgresql;
in
{
  # The project's environment and the tests' packages.
  environment = (import ../python { inherit pkgs; }).environment {
    inherit ((import ../image/project.nix { inherit pkgs src; }).metadata) dependencies;
    extraPackages = packages: [
      packages.cyclonedx-python-lib
      packages.hypothesis
      packages.jsonschema
      packages.mypy
      packages.pip
      packages.pytest
      packages.pytest-django
      packages.pytest-xdist
    ];
  };

  programs = [
    postgresql
    pkgs.ruff
    pkgs.skopeo
    pkgs.syft
  ];

  # `nix fmt`: Python.
  formatter = pkgs.writeShellScriptBin "format" ''
    exec ${pkgs.ruff}/bin/ruff format "$@"
  '';
}
