# The package set's Python that a project is for: of those that its `requires-python` allows, the one that its
# .python-version names, else 3.13, else the first of a list.
{
  pkgs,
  # The project's folder, and its [project] table.
  src,
  metadata,
}:
let
  inherit (pkgs) lib;
  specifier = import ./specifier.nix { inherit lib; };
  attribute = minor: "python3${minor}";

  # Minor versions, such as "13" in cpython-3.13.5.
  pinned =
    let
      found = builtins.match "[^0-9]*3\\.([0-9]+).*" (builtins.readFile (src + "/.python-version"));
    in
    lib.optionals (builtins.pathExists (src + "/.python-version") && found != null) found;
  candidates = pinned ++ [
    "13"
    "14"
    "12"
    "15"
    "11"
    "10"
  ];
  # nixpkgs has names of those that it has no longer, too.
  found = lib.filter (
    minor: pkgs ? ${attribute minor} && (builtins.tryEval pkgs.${attribute minor}.version).success
  ) candidates;

  wanted = metadata.requires-python or "";
  clauses = specifier.read wanted;
  fits = minor: specifier.contains clauses pkgs.${attribute minor}.version;
  fitting = lib.filter fits found;
in
lib.throwIf (clauses == null)
  "pyproject.toml has `requires-python = \"${wanted}\"`, which is no version: write `>=3.13`."
  lib.throwIf
  (fitting == [ ])
  "pyproject.toml has `requires-python = \"${wanted}\"`, but the package set has Python ${
    lib.concatMapStringsSep ", " (minor: pkgs.${attribute minor}.version) (lib.unique found)
  } alone: allow it, or use another package set."
  pkgs.${attribute (lib.head fitting)}
