# A Django project as it lies in the image: its source without what runs, tests or documents it, byte-compiled.
{
  pkgs,
  # The folder with manage.py and pyproject.toml.
  src,
  # The settings module that it must have; none for a project that is not to boot.
  settingsModule ? null,
}:
let
  inherit (pkgs) lib;

  # What a run leaves behind, in the project's top folder.
  runtimeFolders = [
    "logs"
    "media"
    "staticfiles"
  ];

  # Wherever it lies: never in an image.
  unwanted =
    name: type:
    lib.hasPrefix "." name
    || lib.hasSuffix ".md" name
    || lib.hasSuffix ".pyc" name
    || lib.hasSuffix ".sqlite3" name
    || (type == "directory" && lib.elem name [
      "__pycache__"
      "docs"
      "node_modules"
      "tests"
    ])
    || lib.elem name [
      "conftest.py"
      "tests.py"
    ];

  source = lib.cleanSourceWith {
    src = checked;
    name = "source";
    filter =
      path: type:
      let
        name = baseNameOf path;
        isTop = dirOf path == toString src;
      in
      !(unwanted name type) && !(isTop && lib.elem name runtimeFolders);
  };

  # What is missing is said here, in a sentence, rather than by a container that does not start.
  has = file: builtins.pathExists (src + "/${file}");
  settingsPath = builtins.replaceStrings [ "." ] [ "/" ] settingsModule;
  checked =
    lib.throwIfNot (has "manage.py")
      "${toString src} has no manage.py: `src` must be the folder of a Django project, the one with manage.py."
      lib.throwIfNot
      (has "pyproject.toml")
      "${toString src} has no pyproject.toml: its [project] table says which Python packages the image needs."
      lib.throwIfNot
      (settingsModule == null || has "${settingsPath}.py" || has "${settingsPath}/__init__.py")
      "${toString src} has no settings module ${toString settingsModule} (${toString settingsPath}.py): say which one it is with `settingsModule`."
      src;
in
rec {
  pyproject = checked + "/pyproject.toml";

  # The [project] table.
  metadata = (lib.importTOML pyproject).project;

  # Compiled for /app, where the image has it, and so without a trace of the store.
  package = pkgs.runCommand "project" { } ''
    cp -r ${source} $out
    chmod -R u+w $out
    PYTHONHASHSEED=0 ${pkgs.python313}/bin/python3 -m compileall -q --invalidation-mode unchecked-hash \
      -s $out -p /app $out
  '';
}
