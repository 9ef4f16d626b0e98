# A package that a lock names, as a package of the package set's Python. The set's own builder makes it: of a wheel, or else
# of a source distribution, a folder of the project or a Git repository.
{
  pkgs,
  # The Python that it is for.
  python,
  # ../mk-django-image.nix's.
  languages,
  libraries,
  # What builds those for which no lock says it: a list of the package set's Python packages.
  buildSystems,
  # From ./lock: the folder that paths in it are relative to.
  lock,
}:
let
  inherit (pkgs) lib;
  sourceOf = import ./source.nix { inherit pkgs lock; };
  # What source distributions often ask for. On nixpkgs, what is native says where the others are: curl-config, xml2-config.
  usual = [
    pkgs.curl
    pkgs.cyrus_sasl
    pkgs.libffi
    pkgs.libjpeg
    pkgs.libmysqlclient
    pkgs.libpq
    pkgs.libxml2
    pkgs.libxslt
    pkgs.openldap
    pkgs.openssl
    pkgs.zlib
  ];

  # Where psycopg is not compiled, it looks for two libraries by their names, and on nixpkgs nothing finds them. (On the Debian
  # set, which asks for no postInstall, the environment does.)
  withLibpq = {
    postInstall = ''
      folder=$out/${python.sitePackages}/psycopg/pq
      sed -i \
        -e 's,ctypes.util.find_library("pq"),"${pkgs.libpq}/lib/libpq.so.5",' \
        -e 's,ctypes.util.find_library("c"),"libc.so.6",' \
        $folder/*.py
      grep -q ${pkgs.libpq} $folder/misc.py
      python3 -m compileall -q -f --invalidation-mode unchecked-hash $folder
    '';
  };
  isWithoutC =
    package:
    package.name == "psycopg"
    && !lib.any (
      other:
      lib.elem other.name [
        "psycopg-binary"
        "psycopg-c"
      ]
    ) lock.packages;

  isLinux = lib.hasSuffix "-linux" pkgs.stdenv.hostPlatform.system;
  compiled = isWheel: {
    nativeBuildInputs =
      lib.optional isLinux pkgs.buildPackages.autoPatchelfHook
      ++ lib.optionals (!isWheel) (
        [
          pkgs.libpq.pg_config
          pkgs.pkg-config
        ]
        ++ usual
        ++ libraries pkgs
      );
    buildInputs =
      lib.optionals isLinux pkgs.pythonManylinuxPackages.manylinux2014
      ++ libraries pkgs
      ++ lib.optionals (!isWheel) usual;
    # What does not load is found here, not in a container. (The Debian set tries each package by itself.) Without
    # destructors, which may take for granted that their module was imported, as matplotlib's do.
    doCheck = isLinux;
    checkPhase = ''
      find $out -type f -name '*.so*' | while read -r file; do
        ! isELF "$file" || python3 -c 'import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW); os._exit(0)' "$file"
      done
    '';
  };

  # What builds, which is run by the machine that builds.
  tool = import ./package.nix {
    pkgs = pkgs.buildPackages;
    python = python.pythonOnBuildForHost;
    inherit libraries buildSystems lock;
    languages = null;
  };

  build =
    package@{ name, version, ... }:
    let
      isWheel = package.wheel != null;
      archive = if isWheel then package.wheel else package.sdist;
      isPure = isWheel && lib.hasSuffix "-any.whl" archive.file;
      # Null: no lock says it.
      locked = package.builtWith or null;
      builtWith = if locked == null then [ ] else map tool locked;
    in
    python.pkgs.buildPythonPackage (
      {
        pname = name;
        inherit version;
        src = sourceOf package;
        passthru = {
          # The file that it is made of, if it is made of one; and whether that lies in the project.
          archive =
            if package.source != null then
              null
            else
              {
                inherit name version;
                inherit (archive) file sha256;
                local = archive.path != null;
              };
          inherit builtWith;
        };
      }
      // lib.optionalAttrs (languages != null) {
        postFixup = "${python.pythonOnBuildForHost.interpreter} ${./languages.py} $out/${python.sitePackages} ${lib.escapeShellArgs languages}";
      }
      // lib.optionalAttrs (!isPure) (compiled isWheel)
      // lib.optionalAttrs (isLinux && isWithoutC package) withLibpq
      // (
        if isWheel then
          {
            format = "wheel";
            # Stripped libraries that auditwheel has renamed cannot be loaded.
            dontStrip = true;
          }
        else
          {
            pyproject = true;
            build-system = if locked == null then buildSystems else builtWith;
            preBuild = "${python.pythonOnBuildForHost.interpreter} ${./requires.py} ${name} ${python.pkgs.packaging}/${python.sitePackages}";
            # That asks it in a sentence; and when running, which versions there are is the lock's affair.
            pypaBuildFlags = [ "--skip-dependency-check" ];
            dontCheckRuntimeDeps = true;
          }
      )
    );
in
build
