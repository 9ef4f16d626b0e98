# The package set's Python packages that a line of pyproject.toml asks for: none where its condition does not hold, more
# where it has extras.
{
  lib,
  python,
  # Such as "x86_64-linux".
  system,
}:
let
  packages = python.pkgs;

  read = import ./requirement.nix {
    inherit lib;
    pythonFullVersion = python.version;
    machine = lib.head (builtins.split "-" system);
  };
in
text:
let
  requirement = read text;
  asks = "pyproject.toml asks for \"${text}\", but";
  advice = "With the Debian set, run `nixw relock` in the project's folder; with nixpkgs, see what it has.";
  package =
    packages.${requirement.name}
      or (throw "${asks} the package set has no Python package ${requirement.name}. ${advice}");
  optional = package.optional-dependencies or { };
  # PyPI calls an extension that was compiled beforehand "binary"; nixpkgs compiles it, and calls it "c".
  extra =
    name:
    optional.${name} or (
      if name == "binary" && optional ? c then
        optional.c
      else
        throw "${asks} in the package set ${requirement.name} has no extra \"${name}\". ${advice}"
    );
in
lib.optionals requirement.applies (
  lib.throwIfNot (requirement.accepts package.version)
    "${asks} the package set has ${requirement.name} ${package.version}. ${advice}"
    [ package ]
  ++ lib.concatMap extra requirement.extras
)
