# What a developer has and the tests run with.
{
  pkgs,
  python,
  pyproject,
}:
{
  # The project's environment and the tests' packages.
  environment = python.environment {
    inherit pyproject;
    extraPackages = packages: [
      packages.hypothesis
      packages.mypy
      packages.pytest
      packages.pytest-django
    ];
  };
  programs = [
    pkgs.postgresql_17
    pkgs.ruff
  ];
  # `nix fmt`: Python.
  formatter = pkgs.writeShellScriptBin "format" ''
    exec ${pkgs.ruff}/bin/ruff format "$@"
  '';
}
