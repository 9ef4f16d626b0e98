# What a developer has and the tests run with.
{
  pkgs,
  # The project, as in mk-django-image.nix.
  src,
}:
{
  # The project's environment and the tests' packages.
  environment = (import ./python.nix { inherit pkgs; }).environment {
    pyproject = src + "/pyproject.toml";
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
