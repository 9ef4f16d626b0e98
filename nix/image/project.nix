# A Django project as it lies in the image: its source without what runs, tests or documents it, byte-compiled.
{
  pkgs,
  # Its Python, by which it is compiled. The default is the one that it asks for.
  python ? null,
  # The folder with manage.py and pyproject.toml.
  src,
  # Its pyproject.toml, where that lies elsewhere.
  pyproject ? src + "/pyproject.toml",
  # Its name, where pyproject.toml does not say it.
  name ? null,
  # The settings module and the WSGI application that it must have; none for a project that is not to boot.
  settingsModule ? null,
  wsgiApplication ? null,
  # PYTHONPATH in the image, where the project is /app.
  pythonPath ? "",
}:
let
  chosen = python;
  inherit (pkgs) lib;

  # In the project's top folder, unless it is a Python package: what a run leaves behind, what is for people, and what the
  # image is made by.
  unwantedOnTop = [
    "logs"
    "media"
    "staticfiles"
    "README.md"
    "docs"
    "compose.yaml"
    "debian"
    "flake.lock"
    "flake.nix"
    "pylock.build.toml"
    "pylock.toml"
    "uv.lock"
  ];

  # Wherever it lies: never in an image.
  unwanted =
    path: type:
    let
      name = baseNameOf path;
    in
    lib.hasPrefix "." name
    || lib.hasSuffix ".pyc" name
    || lib.hasSuffix ".sqlite3" name
    || (
      type == "directory"
      && lib.elem name [
        "__pycache__"
        "node_modules"
      ]
    )
    # An app may have that name.
    || (type == "directory" && name == "tests" && !isApp path)
    || lib.elem name [
      "conftest.py"
      "tests.py"
    ];

  isApp = path: builtins.pathExists (path + "/apps.py") || builtins.pathExists (path + "/models.py");
  # conf.py is Sphinx's, which documents.
  isPackage =
    path:
    builtins.any (name: lib.hasSuffix ".py" name && name != "conf.py") (
      builtins.attrNames (builtins.readDir path)
    );
  isKept =
    path: type:
    !(unwanted path type)
    && !(
      dirOf path == toString src
      && lib.elem (baseNameOf path) unwantedOnTop
      && !(type == "directory" && isPackage path)
    );

  source = lib.cleanSourceWith {
    src = checked;
    name = "source";
    filter = isKept;
  };

  # What is not in the image of a folder of the project, "" or one that ends in a slash.
  leftOutOf =
    folder:
    lib.concatLists (
      lib.mapAttrsToList (
        name: type:
        if !(isKept "${toString src}/${folder}${name}" type) then
          [ (folder + name) ]
        else if type == "directory" then
          leftOutOf "${folder}${name}/"
        else
          [ ]
      ) (builtins.readDir (src + "/${folder}"))
    );

  # What is missing is said here, in a sentence, rather than by a container that does not start.
  has = file: builtins.pathExists (src + "/${file}");
  folders = lib.filter (name: (builtins.readDir src).${name} == "directory") (
    builtins.attrNames (builtins.readDir src)
  );
  foldersWith =
    files: lib.filter (folder: builtins.any (file: has "${folder}/${file}") files) folders;
  list = lib.concatMapStringsSep ", " (name: name);
  tracked = "(A flake sees only what git tracks: `git add` new files.)";

  # A module can be found in the project, or where PYTHONPATH points in it.
  roots = [
    ""
  ]
  ++ map (path: "${lib.removePrefix "/app/" path}/") (
    lib.filter (lib.hasPrefix "/app/") (lib.filter builtins.isString (builtins.split ":" pythonPath))
  );
  modulePath = builtins.replaceStrings [ "." ] [ "/" ];
  hasModule =
    module:
    builtins.any (
      root: has "${root}${modulePath module}.py" || has "${root}${modulePath module}/__init__.py"
    ) roots;
  settingsModules = map (folder: "${folder}.settings") (foldersWith [
    "settings.py"
    "settings/__init__.py"
  ]);
  wsgiModule = lib.head (builtins.split ":" wsgiApplication);

  checked =
    lib.throwIfNot (has "manage.py")
      "${toString src} has no manage.py: `src` must be the folder of a Django project, the one with manage.py${
        lib.optionalString (foldersWith [ "manage.py" ] != [ ])
          " (perhaps ${list (foldersWith [ "manage.py" ])})"
      }. ${tracked}"
      lib.throwIfNot
      (settingsModule == null || hasModule settingsModule)
      "${toString src} has no settings module ${toString settingsModule}: say with `settingsModule` which one it is${
        lib.optionalString (settingsModules != [ ]) " (perhaps ${list settingsModules}, or one in it)"
      }. ${tracked}"
      lib.throwIfNot
      # One that lies outside is a package's.
      (
        wsgiApplication == null
        || hasModule wsgiModule
        || !(has (lib.head (builtins.split "\\." wsgiModule)))
      )
      "${toString src} has no module ${toString wsgiModule}: say with `wsgiApplication` what gunicorn is to serve${
        lib.optionalString (foldersWith [ "wsgi.py" ] != [ ])
          " (perhaps ${
             lib.concatMapStringsSep ", " (folder: "${folder}.wsgi:application") (foldersWith [ "wsgi.py" ])
           })"
      }. ${tracked}"
      src;

  # A lock says all that it takes.
  hasLock = lib.any (lock: has lock || builtins.pathExists (dirOf pyproject + "/${lock}")) [
    "pylock.toml"
    "uv.lock"
  ];
  content =
    if builtins.pathExists pyproject then
      import ../python/pyproject.nix { inherit lib; } pyproject
    else
      lib.throwIfNot hasLock (
        if has "requirements.txt" || has "requirements" then
          "${toString src} has no pyproject.toml, only requirements.txt: make a lock of it with `nixw lock --from requirements.txt`, or pyproject.toml with `nixw add -r requirements.txt`."
        else
          "${toString src} has no pyproject.toml: its [project] table says which Python packages the image has. Begin one with `nixw add Django`. ${tracked}"
      ) { };
  # Poetry's own table has the same fields, as far as an image needs them.
  described = {
    name =
      if name != null then
        name
      else
        throw "${toString src} has no pyproject.toml that says the project's name: say it with `name`.";
  }
  // (
    if content ? project then
      content.project
    else
      lib.filterAttrs (field: _: field != "dependencies") (content.tool.poetry or { })
  );
in
rec {
  inherit src pyproject;

  # The Python that it is compiled for.
  python =
    if chosen != null then
      chosen
    else
      import ../python/interpreter.nix {
        inherit pkgs src;
        metadata = content.project or { };
      };

  # The [project] table.
  metadata = builtins.seq checked (
    if hasLock then
      described
    else
      lib.throwIfNot (content ? project.name && content ? project.dependencies)
        "${toString pyproject} has no [project] table with `name` and `dependencies`: list there what the image needs, for nothing else is read (`nixw add PACKAGE` does it)."
        content.project
  );

  # Paths of what the image leaves out of it.
  leftOut = leftOutOf "";

  # Compiled for /app, where the image has it, and so without a trace of the store. Its fingerprint is of the environment,
  # too: what was collected from the same contents need not be collected again.
  packageWith =
    environment:
    pkgs.runCommand "project" { } ''
      cp -r ${source} $out
      chmod -R u+w $out
      PYTHONHASHSEED=0 ${python.pythonOnBuildForHost}/bin/python3 ${./compile.py} $out ${lib.escapeShellArgs leftOut}
      ${python.pythonOnBuildForHost}/bin/python3 ${./fingerprint.py} $out ${builtins.hashString "sha256" (builtins.unsafeDiscardStringContext "${environment}")}
    '';
}
