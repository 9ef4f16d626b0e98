# What the packages without a wheel are built with: pylock.build.toml (PEP 751), which `nixw lock` writes beside the project's
# lock, has a dependency group for each of them, so that each has versions of its own.
{
  lib,
  # The readers of text and of pylock.toml, from here.
  readText,
  readPylock,
}:
{
  # The project's lock and the folder that both lie in; pyproject.toml as values.
  lock,
  folder,
  pyproject,
}:
let
  file = "pylock.build.toml";
  remedy = "run `nixw lock`";
  path = folder + "/${file}";
  fields = import ./fields.nix { inherit lib; } { inherit file remedy; };
  inherit (import ../specifier.nix { inherit lib; }) normalize;

  content = readText { inherit file path remedy; };
  builtFrom = fields.table "[tool.nixw]" "built-from" (
    fields.table "[tool]" "nixw" (fields.table "its head" "tool" content)
  );
  groups = fields.texts "its head" "dependency-groups" content;

  # uv's own settings of what source distributions are built with.
  settings = import ./fields.nix { inherit lib; } {
    file = "pyproject.toml";
    remedy = "correct it";
  };
  uv = pyproject.tool.uv or { };
  additions = lib.mapAttrs' (name: _: {
    name = normalize name;
    value = settings.texts "[tool.uv.extra-build-dependencies]" name added;
  }) added;
  added = settings.table "[tool.uv]" "extra-build-dependencies" uv;

  # Of a folder, what says what it is built with.
  ofFolder =
    folder:
    lib.concatMapStringsSep " "
      (
        name:
        if builtins.pathExists (folder + "/${name}") then
          builtins.hashFile "sha256" (folder + "/${name}")
        else
          "-"
      )
      [
        "pyproject.toml"
        "setup.cfg"
        "setup.py"
      ];
in
package:
let
  inherit (package) name source;
  # What the project asks for besides what the package asks for, and within which versions.
  extra = additions.${name} or [ ];
  constraints = settings.texts "[tool.uv]" "build-constraint-dependencies" uv;
  # A number that changes with all that decides what it is built with.
  identity = builtins.hashString "sha256" (
    builtins.toJSON [
      extra
      constraints
      (
        if source == null then
          package.sdist.sha256
        else if source ? git then
          source
        else
          ofFolder (folder + "/${source.path}")
      )
    ]
  );
in
package
// (
  if package.wheel != null then
    { }
  else
    {
      # What `nixw lock` takes to know what it is built with.
      build = { inherit identity extra constraints; };
      # The packages that it is built with, like those of the lock; null: the package set's.
      builtWith =
        if !(builtins.pathExists path) then
          null
        else if content.created-by or null != "nixw lock" then
          throw "${file} was not made by `nixw lock`: move it away, and run that."
        else if
          !(lib.elem name groups && lib.elem identity (fields.texts "`built-from`" name builtFrom))
        then
          throw "${file} is older than ${lock}, or than what that takes from the project: it does not say what this ${name} is built with. To lock that, ${remedy}."
        else
          readPylock { inherit file remedy; } {
            lock = content;
            pyproject = { };
            inherit folder;
            groups = [ name ];
            extras = [ ];
          };
    }
)
