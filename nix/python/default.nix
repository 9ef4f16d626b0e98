# The Python environment of a project: exactly what its lock says, or, without a lock, what the package set has for the lines
# of its pyproject.toml.
{
  pkgs,
  python,
  # The project, from ../image/project.nix. The others are ../mk-django-image.nix's.
  project,
  groups,
  extras,
  fromPackageSet,
  languages,
  libraries,
  buildSystems,
  extraPackages,
}:
let
  inherit (pkgs) lib;
  inherit (pkgs.stdenv.hostPlatform) system;
  inherit (import ./specifier.nix { inherit lib; }) normalize;

  lock =
    import ./lock
      {
        inherit lib;
        pythonFullVersion = python.version;
        machine = lib.head (builtins.split "-" system);
        buildMachine = lib.head (builtins.split "-" pkgs.stdenv.buildPlatform.system);
        # Such as 2.41, of 2.41-12+deb13u1. A Mac, where one develops, has none, and so no Linux wheels.
        glibc =
          if lib.hasSuffix "-linux" system then
            lib.head (builtins.match "([0-9]+\\.[0-9]+).*" pkgs.glibc.version)
          else
            "2.0";
      }
      {
        inherit (project) src pyproject;
        inherit groups extras;
      };

  package = import ./package.nix {
    inherit
      pkgs
      python
      languages
      libraries
      lock
      ;
    # Those that most projects use.
    buildSystems = [
      python.pkgs.flit-core
      python.pkgs.hatchling
      python.pkgs.poetry-core
      python.pkgs.setuptools
      python.pkgs.setuptools-scm
      python.pkgs.wheel
    ]
    ++ added;
  };
  added = buildSystems python.pkgs;
  wanted = lib.filter (
    package: !(lib.elem package.name (map normalize fromPackageSet))
  ) lock.packages;
  locked =
    lib.throwIf (added != [ ] && lib.any (package: (package.builtWith or null) != null) wanted)
      "`buildSystems` names what source distributions are built with, and so does pylock.build.toml: take `buildSystems` away, and write what it adds into [tool.uv.extra-build-dependencies] of pyproject.toml."
      (map package wanted);

  # Of the package set, only what the lock has not got: who needs a package that it has, gets the lock's.
  besides =
    packages:
    map (package: package // { requiredPythonModules = [ ]; }) (
      lib.filter (package: package ? pythonModule && !(isLocked ? ${normalize package.pname})) (
        lib.concatMap (package: [ package ] ++ package.requiredPythonModules) packages
      )
    );
  isLocked = lib.genAttrs (map (package: package.pname) locked) (_: true);

  fromSet =
    name:
    lib.throwIfNot (lib.any (package: package.name == normalize name) lock.packages)
      "`fromPackageSet` names ${name}, which is not among what ${lock.file} has for this image: take it off the list."
      python.pkgs.${normalize name}
      or (throw "`fromPackageSet` names ${name}, which the package set has not got as a Python package. On the Debian set, `nixw add --debian ${normalize name}=PACKAGE` adds it, if Debian has it.");

  extra = extraPackages python.pkgs;
  packages =
    if lock == null then
      lib.throwIf (languages != null)
        "`languages` is about packages that a lock names, and the project has none: make one (`uv lock`, or `nixw lock --from requirements.txt`), or take `languages` away."
        lib.concatMap (import ./select.nix { inherit lib python system; }) project.metadata.dependencies
      ++ extra
    else
      locked ++ besides (map fromSet fromPackageSet ++ extra);
in
python.buildEnv.override {
  extraLibs = packages;
  # As with an installer, two wheels may have a file of one name.
  ignoreCollisions = lock != null;
}
// {
  # All that it consists of, beside Python, which nixpkgs has among them.
  packages = lib.unique (
    lib.filter (package: package ? pythonModule) (
      lib.concatMap (package: [ package ] ++ package.requiredPythonModules or [ ]) packages
    )
  );
  # The packages that are the lock's, each with `archive`: null, or { name, version, file, sha256, local }; and `builtWith`,
  # packages of the same kind.
  locked = lib.optionals (lock != null) locked;
  # For `nixw lock`: those of them that have no wheel, with what says what they are built with.
  sources = lib.optionals (lock != null) (
    map (
      package:
      package.build
      // {
        inherit (package) name version;
        # Where the lock is in the project, whose files are in the store.
        lock = lib.head (
          builtins.match "${builtins.storeDir}/[^/]+/(.*)" "${toString lock.folder}/${lock.file}"
        );
        python = python.pythonVersion;
      }
      // (
        if package.source == null && package.sdist.path == null then
          { inherit (package.sdist) file sha256; }
        else
          { src = "${import ./source.nix { inherit pkgs lock; } package}"; }
      )
    ) (lib.filter (package: package.wheel == null) wanted)
  );
}
