# A package that a lock names, as a package of the package set's Python. The set's own builder makes it: of a wheel, or else
# of a source distribution, a folder of the project or a Git repository.
{
  pkgs,
  # The Python that it is for.
  python,
  # ../mk-django-image.nix's.
  libraries,
  buildSystems,
  # From ./lock: the folder that paths in it are relative to.
  lock,
}:
package@{ name, version, ... }:
let
  inherit (pkgs) lib;

  isWheel = package.wheel != null;
  archive = if isWheel then package.wheel else package.sdist;
  inherit (package) source;

  # NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl, or NAME-VERSION.EXTENSION
  part = builtins.elemAt (
    if isWheel then
      builtins.match "([^-]+)-([^-]+)-(.*-)?([^-]+)-([^-]+)-([^-]+)\\.whl" archive.file
    else
      builtins.match "(.*)-([^-]+)\\.(tar\\.[a-z0-9]+|tgz|zip)" archive.file
  );
  isPure = isWheel && part 5 == "any";

  path = lock.folder + "/${archive.path}";
  ofArchive =
    if archive.path != null then
      lib.throwIfNot (builtins.hashFile "sha256" path == archive.sha256)
        "${lock.file} names ${archive.path} with another SHA-256 than the file has: lock again."
        (
          builtins.path {
            name = archive.file;
            inherit path;
          }
        )
    else if archive.url != null then
      pkgs.fetchurl {
        name = archive.file;
        inherit (archive) url sha256;
      }
    else
      # Where a lock names no address, the file is where the package set has the Python index.
      pkgs.fetchPypi (
        {
          pname = part 0;
          version = part 1;
          inherit (archive) sha256;
        }
        // (
          if isWheel then
            {
              format = "wheel";
              dist = part 3;
              python = part 3;
              abi = part 4;
              platform = part 5;
            }
          else
            { extension = part 2; }
        )
      );
  repository = builtins.fetchGit {
    url = source.git;
    inherit (source) rev;
    allRefs = true;
  };
  src =
    if source == null then
      ofArchive
    else if source ? git then
      if source ? subdirectory then "${repository}/${source.subdirectory}" else repository
    else
      builtins.path {
        inherit name;
        path = lock.folder + "/${source.path}";
      };

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
    name == "psycopg"
    && !lib.any (
      other:
      lib.elem other.name [
        "psycopg-binary"
        "psycopg-c"
      ]
    ) lock.packages;

  isLinux = lib.hasSuffix "-linux" pkgs.stdenv.hostPlatform.system;
  compiled = {
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
in
python.pkgs.buildPythonPackage (
  {
    pname = name;
    inherit version src;
    # The file that it is made of, if it is made of one; and whether that lies in the project.
    passthru.archive =
      if source != null then
        null
      else
        {
          inherit name version;
          inherit (archive) file sha256;
          local = archive.path != null;
        };
  }
  // lib.optionalAttrs (!isPure) compiled
  // lib.optionalAttrs (isLinux && isWithoutC) withLibpq
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
        build-system = buildSystems python.pkgs;
        # Which versions there are is the package set's affair when building, and the lock's when running.
        pypaBuildFlags = [ "--skip-dependency-check" ];
        dontCheckRuntimeDeps = true;
      }
  )
)
