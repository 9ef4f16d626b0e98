# A Django project as it lies in the image: its source without what runs, tests or documents it, byte-compiled.
{
  pkgs,
  # The folder with manage.py and pyproject.toml.
  src,
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
    inherit src;
    name = "source";
    filter =
      path: type:
      let
        name = baseNameOf path;
        isTop = dirOf path == toString src;
      in
      !(unwanted name type) && !(isTop && lib.elem name runtimeFolders);
  };
in
{
  inherit source;
  pyproject = src + "/pyproject.toml";

  # Compiled for /app, where the image has it, and so without a trace of the store.
  package = pkgs.runCommand "project" { } ''
    cp -r ${source} $out
    chmod -R u+w $out
    PYTHONHASHSEED=0 ${pkgs.python313}/bin/python3 -m compileall -q --invalidation-mode unchecked-hash \
      -s $out -p /app $out
  '';
}
