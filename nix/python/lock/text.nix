# The text of a lock as values. Nix's own reader of TOML tells what it meets without the file's name, and no expression
# can catch it: what commonly happens to a lock is looked for beforehand.
{ lib }:
{
  # Its name, such as "uv.lock", and where it is.
  file,
  path,
  # What mends it, such as "run `uv lock`".
  remedy,
}:
let
  text = builtins.readFile path;
  length = builtins.stringLength text;
  has = part: builtins.replaceStrings [ part ] [ "" ] text != text;
  lines = lib.filter (line: builtins.isString line && line != "") (
    builtins.split "\n" (builtins.substring (if length > 1000 then length - 1000 else 0) (-1) text)
  );
  lastLine = builtins.elemAt lines (builtins.length lines - 1);
  # A list or a value goes on behind the last line, or the line itself does.
  isCut =
    length > 0
    && (
      lines == [ ]
      || builtins.substring (length - 1) 1 text != "\n"
      || builtins.match "([^#]*[^#[:space:]])?[[:space:]]*[[,{=]" lastLine != null
    );

  # Nix's reader refuses dates, which say when a file was published.
  dated = "(upload-time[[:space:]]*=[[:space:]]*)([0-9][0-9T:.Z+ -]*[0-9Z])";
  undated =
    if has "upload-time" then
      lib.concatMapStringsSep "" (
        part: if builtins.isString part then part else "${lib.head part}\"${builtins.elemAt part 1}\""
      ) (builtins.split dated text)
    else
      text;
in
if length == 0 then
  throw "${file} is empty: ${remedy}."
else if has "\n<<<<<<< " || has "\n>>>>>>> " then
  throw "${file} has the marks of a merge conflict: ${remedy}."
else if isCut then
  throw "${file} is cut off, its last line is not complete: ${remedy}."
else
  builtins.fromTOML undated
