# A package that a lock names, as a package of the package set's Python, whose own builder of wheels makes it.
{
  pkgs,
  # The Python that it is for.
  python,
  # ../mk-django-image.nix's.
  libraries,
  # From ./lock: the file's name, and the folder that paths in it are relative to.
  lock,
}:
package@{ name, version, ... }:
let
  inherit (pkgs) lib;

  advice = "make a wheel of it and lock that, or take the package set's with `fromPackageSet = [ \"${name}\" ]`";
  wheel =
    if package.wheel or null != null then
      package.wheel
    else if package.source.git or null != null then
      throw "${lock.file} has ${name} from a Git repository, and nothing is compiled here: ${advice}."
    else if package.source.path or null != null then
      throw "${lock.file} has ${name} as a folder, ${package.source.path}, and nothing is compiled here: ${advice}."
    else
      throw "${lock.file} has no wheel of ${name} ${version} for Python ${python.pythonVersion} on ${python.system}, only a source distribution or wheels for others, and nothing is compiled here: ${advice}.";

  # NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl
  part = builtins.elemAt (
    builtins.match "([^-]+)-([^-]+)-(.*-)?([^-]+)-([^-]+)-([^-]+)\\.whl" wheel.file
  );
  isCompiled = part 5 != "any";

  # Whether it lies in the project.
  isLocal = wheel.path != null;
  path = lock.folder + "/${wheel.path}";
  file =
    if isLocal then
      lib.throwIfNot (builtins.hashFile "sha256" path == wheel.sha256)
        "${lock.file} names ${wheel.path} with another SHA-256 than the file has: lock again."
        (
          builtins.path {
            name = wheel.file;
            inherit path;
          }
        )
    else if wheel.url != null then
      pkgs.fetchurl {
        name = wheel.file;
        inherit (wheel) url sha256;
      }
    else
      # Where a lock names no address, the file is where the package set has the Python index.
      pkgs.fetchPypi {
        pname = part 0;
        version = part 1;
        format = "wheel";
        dist = part 3;
        python = part 3;
        abi = part 4;
        platform = part 5;
        inherit (wheel) sha256;
      };
in
python.pkgs.buildPythonPackage (
  {
    pname = name;
    inherit version;
    format = "wheel";
    src = file;
    passthru.wheel = {
      inherit name version;
      inherit (wheel) file sha256;
      local = isLocal;
    };
  }
  // lib.optionalAttrs isCompiled {
    nativeBuildInputs = [ pkgs.autoPatchelfHook ];
    buildInputs = pkgs.pythonManylinuxPackages.manylinux2014 ++ libraries pkgs;
    # Stripped libraries that auditwheel has renamed cannot be loaded.
    dontStrip = true;
    # What does not load is found here, not in a container. (The Debian set tries each package by itself.)
    doCheck = true;
    checkPhase = ''
      find $out -type f -name '*.so*' | while read -r file; do
        ! isELF "$file" || python3 -c 'import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW)' "$file"
      done
    '';
  }
)
