# A line of [project] dependencies (PEP 508): `Foo-Bar[baz]>=1.2,<2; python_version < "3.14"`, read as far as choosing a
# package takes.
{
  lib,
  # All of it, such as "3.13.5".
  pythonFullVersion,
  # As the kernel calls it: "x86_64", "aarch64".
  machine,
  # Whether `NAME @ ADDRESS` is read as well.
  allowAddress ? false,
}:
let
  specifier = import ./specifier.nix { inherit lib; };
  inherit (specifier) normalize words;
  marker = import ./marker.nix { inherit lib pythonFullVersion machine; } {
    origin = "pyproject.toml";
  };
in
text:
let
  parts = builtins.match "[[:space:]]*([A-Za-z0-9][A-Za-z0-9._-]*)[[:space:]]*(\\[([^]]*)])?[[:space:]]*\\(?([^;@)]*)\\)?[[:space:]]*(@[^;]*)?(;(.*))?" text;
  part = builtins.elemAt (
    lib.throwIf (
      parts == null || (builtins.elemAt parts 4 != null && !allowAddress)
    ) "pyproject.toml asks for \"${text}\", which is no name with a version: write NAME>=VERSION." parts
  );
  clauses = map (
    clause:
    let
      read = specifier.readClause clause;
    in
    lib.throwIf (
      read == null
    ) "pyproject.toml asks for \"${text}\", and \"${clause}\" is no version." read
  ) (words (part 3));
in
{
  name = normalize (part 0);
  extras = map normalize (words (if part 2 == null then "" else part 2));
  inherit clauses;
  isAddress = part 4 != null;
  # The condition that it is asked for under, or null.
  condition = part 6;
  # Whether a version of the package will do.
  accepts = version: specifier.contains clauses version && specifier.admits clauses version;
  # Whether it is asked for at all, on Linux and this Python.
  applies = part 6 == null || marker (part 6);
}
