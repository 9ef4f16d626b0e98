# Python environments. The packages' names come from a project's pyproject.toml, so that every package set is driven by
# the one list.
{ pkgs }:
let
  inherit (pkgs) lib;

  # "Django>=5.2,<5.3; python_version > '3.9'" -> "django". The normalized name (packaging guide, "Names and
  # normalization") is also the attribute in the package set.
  attribute =
    requirement:
    let
      name = lib.head (builtins.match "[[:space:]]*([A-Za-z0-9._-]*[A-Za-z0-9]).*" requirement);
    in
    builtins.replaceStrings [ "_" "." ] [ "-" "-" ] (lib.toLower name);

  select =
    packages: requirement:
    packages.${attribute requirement}
      or (throw "pyproject.toml asks for \"${requirement}\", but the package set has no Python package \"${attribute requirement}\". With nixpkgs, look for its attribute's name; with the Debian set, lock it: ./nixw relock");
in
{
  environment =
    {
      # The path of a pyproject.toml.
      pyproject,
      # More packages: a function from the package set's Python packages to a list.
      extraPackages ? (_: [ ]),
    }:
    pkgs.python313.withPackages (
      packages:
      map (select packages) (lib.importTOML pyproject).project.dependencies ++ extraPackages packages
    );
}
