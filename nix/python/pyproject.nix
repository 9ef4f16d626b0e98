# A pyproject.toml as values. Older readers of Nix's refuse a table that comes behind a list in it, such as `[tool.uv]` behind
# `[[tool.uv.index]]`. TOML has no such rule, so the table is moved to the front.
{ lib }:
path:
let
  # What comes before the first header; then a header's parts, and what comes behind it, in turn.
  parts = builtins.split "\n(\\[+)([^]\n]*)([^\n]*)" "\n${builtins.readFile path}";
  tables = builtins.genList (
    index:
    let
      header = builtins.elemAt parts (2 * index + 1);
    in
    {
      isList = lib.head header == "[[";
      name = builtins.elemAt header 1;
      text = "\n${lib.concatStringsSep "" header}${builtins.elemAt parts (2 * index + 2)}";
    }
  ) (builtins.length parts / 2);

  ordered = builtins.foldl' (
    before: table:
    if !table.isList && lib.any (list: lib.hasPrefix "${table.name}." list) before.lists then
      before // { first = before.first + table.text; }
    else
      {
        inherit (before) first;
        rest = before.rest + table.text;
        lists = before.lists ++ lib.optional table.isList table.name;
      }
  ) {
    first = "";
    rest = "";
    lists = [ ];
  } tables;
in
builtins.fromTOML (
  # Without the line that was put before the first.
  builtins.substring 1 (-1) "${lib.head parts}${ordered.first}${ordered.rest}"
)
