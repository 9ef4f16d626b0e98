# The fields of a lock's tables: each has the type that it must have, or a sentence says which has not.
{ lib }:
{ file, remedy }:
let
  nouns = {
    string = "a text";
    list = "a list";
    set = "a table";
  };
  wrong =
    where: name: type:
    throw "${file} has in ${where} a `${name}` that is not ${type}: ${remedy}.";

  # The value, or the default where the table has none.
  field =
    type: where: name: default: table:
    if !(table ? ${name}) then
      default
    else if builtins.typeOf table.${name} == type then
      table.${name}
    else
      wrong where name nouns.${type};
  listOf =
    type: where: name: table:
    let
      list = field "list" where name [ ] table;
    in
    if lib.all (item: builtins.typeOf item == type) list then
      list
    else
      wrong where name "a list of ${if type == "set" then "tables" else "texts"}";
in
rec {
  text = field "string";
  needed =
    where: name: table:
    if table ? ${name} then
      text where name null table
    else
      throw "${file} has no `${name}` in ${where}: ${remedy}.";
  texts = listOf "string";
  table =
    where: name: table:
    field "set" where name { } table;
  tables = listOf "set";
}
