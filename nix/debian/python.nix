# Debian's Python, wheels, and environments of them, with the interface of nixpkgs' `python3`.
{
  lib,
  lock,
  builders,
  debian,
  compiler,
  # The parts of the set of the machine that builds, and whether this set is for another one.
  build,
  isForeign,
}:
let
  pythonVersion = lock.python;
  sitePackages = "lib/python${pythonVersion}/site-packages";

  # Byte code is addressed by nothing but its name ("unchecked"), for in a store no source changes, and all are
  # dated the same.
  compile = folder: ''
    PYTHONHASHSEED=0 "$python" -m compileall -q --invalidation-mode unchecked-hash ${folder}
  '';

  version = lib.head (lib.split "-" lock.debian."python${pythonVersion}".version);
  runnable = build.python.interpreter;

  # How Python was built: a file, and a link to it, which comes after it only where the architecture's name does.
  buildData =
    if debian.libraries == "lib/x86_64-linux-gnu" then
      "_sysconfigdata__*.py"
    else
      "_sysconfigdata__linux_*.py";

  # Debian cuts Python into four packages; Python finds its library only where its program is.
  interpreter =
    builders.runCommand "python3-${version}"
      {
        passthru = {
          inherit
            version
            pythonVersion
            sitePackages
            pkgs
            buildEnv
            ;
          # What is run while building.
          pythonOnBuildForHost = build.python;
          interpreter = "${interpreter}/bin/python${pythonVersion}";
        };
        meta.mainProgram = "python3";
      }
      ''
        for package in ${
          lib.concatMapStringsSep " " (part: "${debian.${part}}") [
            "python${pythonVersion}-minimal"
            "libpython${pythonVersion}-minimal"
            "libpython${pythonVersion}-stdlib"
            "python${pythonVersion}"
          ]
        }; do
          mkdir -p $out
          cp -a $package/. $out/
          chmod -R u+w $out
        done
        ln -s python${pythonVersion} $out/bin/python3
        ln -s python${pythonVersion} $out/bin/python

        # A graphical toolkit, an installer of other packages and databases of the 1980s, none of which a server has.
        cd $out/lib/python${pythonVersion}
        rm -rf ensurepip idlelib tkinter turtle.py turtledemo pydoc_data test lib-dynload/_dbm.* lib-dynload/_gdbm.*
        # What tests Python itself.
        rm -rf lib-dynload/_test* lib-dynload/_ctypes_test* lib-dynload/_xxtestfuzz* lib-dynload/xx*
        rm -rf $out/share/applications $out/share/binfmts $out/share/python3

        # ctypes asks ldconfig or a compiler where libraries are, and an image has neither. They are in the environment.
        cat >> ctypes/util.py <<'END'

        _find_elsewhere = find_library
        def find_library(name):
            for folder in (os.path.join(sys.prefix, "${debian.libraries}"), "${debian.libraryFolder "libc6"}"):
                entries = os.listdir(folder) if os.path.isdir(folder) else []
                found = sorted(entry for entry in entries if entry.startswith(f"lib{name}.so"))
                if found:
                    return os.path.join(folder, found[0])
            return _find_elsewhere(name)
        END
        # Time zones are found where this set has them, whatever the machine has.
        for data in ${buildData}; do
          [ -L "$data" ] || sed -i "s,'TZPATH': .*,'TZPATH': '${debian.tzdata}/share/zoneinfo'\,," "$data"
          grep -q ${debian.tzdata} "$data"
        done

        python=${if isForeign then runnable else "$out/bin/python${pythonVersion}"}
        ${compile "$out/lib/python${pythonVersion}"}
      '';

  # A folder is compiled if it has what is written in C or C++. Into a source distribution nobody looks before it is built.
  isCompiled =
    src: lib.isAttrs src || builtins.match ".*\\.(tar\\.[a-z0-9]+|tgz|zip)" src != null || hasC src;
  hasC =
    folder:
    let
      entries = builtins.readDir folder;
      isC = name: builtins.match ".*\\.(c|cc|cpp|cxx|pyx)" name != null;
    in
    builtins.any (
      name: if entries.${name} == "directory" then hasC "${folder}/${name}" else isC name
    ) (builtins.attrNames entries);

  buildPythonPackage =
    if isForeign then
      import ./foreign.nix {
        inherit
          lib
          builders
          build
          interpreter
          sitePackages
          isCompiled
          closure
          compile
          ;
      }
    else
      packageOf;

  # A wheel as a store path: unpacked, byte-compiled, its entry points left to the environment; each is loaded once. With
  # `pyproject`, the wheel is first made of a source distribution or folder; the compiler and its libraries are there then.
  packageOf =
    {
      pname,
      version,
      src,
      # Else "wheel", and no other.
      pyproject ? false,
      format ? null,
      build-system ? [ ],
      preBuild ? "",
      # Here before it is byte-compiled.
      postFixup ? "",
      nativeBuildInputs ? [ ],
      buildInputs ? [ ],
      dependencies ? [ ],
      optional-dependencies ? { },
      passthru ? { },
      ...
    }:
    let
      compiled = pyproject && isCompiled src;
      # Where nothing is compiled, nothing is linked. What else nixpkgs takes to compile is in the compiler's tree here.
      isLinked = compiled || !pyproject;
      systems = environment {
        packages = closure (package: package.dependencies) build-system;
        added = [ ];
      };
      hooks =
        lib.filter (input: input ? setupHook) (lib.optionals isLinked nativeBuildInputs)
        ++ lib.optional compiled compiler.hook;
    in
    builders.runCommand "python3-${pname}-${version}"
      {
        buildInputs = lib.optionals compiled compiler.libraries ++ lib.optionals isLinked buildInputs;
        passthru = {
          inherit
            pname
            version
            src
            optional-dependencies
            ;
          pythonModule = interpreter;
          inherit dependencies;
          # What `nixw` must put into the store for it, besides `src`.
          seeds = lib.optional compiled { set = "compiler"; };
          requiredPythonModules = closure (package: package.dependencies) dependencies;
        }
        // passthru;
      }
      ''
        python=${interpreter.interpreter}
        wheel=${src}
        ${lib.optionalString pyproject ''
          ${lib.optionalString compiled "PATH=${compiler.tree}/bin:$PATH"}
          mkdir wheel
          PATH=$PATH:${systems}/bin PYTHONPATH=${systems}/${sitePackages} \
            $python ${./build-wheel}/build_wheel.py ${pname} ${src} wheel ${lib.escapeShellArg preBuild}
          wheel=$(echo wheel/*.whl)
        ''}
        $python ${./install_wheel.py} $wheel $out ${sitePackages}
        for input in ${toString hooks}; do . $input/nix-support/setup-hook; done
        [ -z "$(command -v autoPatchelf)" ] || autoPatchelf $out
        [ -e $out/nix-support/missing-libraries ] || $python ${./load.py} "$name" $out/${sitePackages}
        ${postFixup}
        ${compile "$out/${sitePackages}"}
      '';

  wheel =
    name:
    {
      version,
      file,
      sha256,
      requires,
      extras,
    }:
    buildPythonPackage {
      pname = name;
      inherit version;
      format = "wheel";
      src = builders.seeded {
        name = file;
        inherit sha256;
      };
      nativeBuildInputs = [ debian.autoPatchelfHook ];
      buildInputs = debian.manylinux;
      dependencies = map (required: pkgs.${required}) requires;
      optional-dependencies = lib.mapAttrs (_: map (required: pkgs.${required})) extras;
    };

  # A Python package that is Debian's, because it is compiled against Debian's libraries.
  fromDebian =
    name: package:
    let
      # Debian's name of a Python package that it has for itself alone.
      dependencies = map (depended: fromDebian depended depended) (
        lib.filter (lib.hasPrefix "python3-") lock.debian.${package}.depends
      );
    in
    builders.runCommand "python3-${name}-${lib.head (lib.split "-" lock.debian.${package}.version)}"
      {
        passthru = {
          pname = name;
          version = lib.head (lib.split "-" lock.debian.${package}.version);
          pythonModule = interpreter;
          inherit dependencies;
          requiredPythonModules = closure (package: package.dependencies) dependencies;
          optional-dependencies = { };
        };
      }
      ''
        mkdir -p $out/$(dirname ${sitePackages})
        cp -a ${debian.${package}}/lib/python3/dist-packages $out/${sitePackages}
        cp -a ${debian.${package}}/share $out/share
        chmod -R u+w $out
        python=${runnable}
        ${compile "$out/${sitePackages}"}
      '';

  pkgs =
    lib.mapAttrs fromDebian lock.debian-python
    // lib.mapAttrs wheel lock.wheels
    // {
      inherit buildPythonPackage;
      python = interpreter;
    };

  # The packages, and those that `edges` gives of each, once each.
  closure =
    edges: packages:
    let
      keyed = package: {
        key = package.pname;
        inherit package;
      };
    in
    map (item: item.package) (
      builtins.genericClosure {
        startSet = map keyed packages;
        operator = item: map keyed (edges item.package);
      }
    );

  # An environment with these packages, and all they need. Of two files of one name it has the first, as `ignoreCollisions`
  # asks for.
  buildEnv.override =
    {
      extraLibs,
      ignoreCollisions ? false,
    }:
    let
      packages = closure (package: package.requiredPythonModules) extraLibs;
      has = name: lib.any (package: package.pname == name) packages;
    in
    environment {
      inherit packages;
      # Where psycopg is not compiled, it loads libpq by its name.
      added =
        lock.added
        ++ lib.optional (has "psycopg" && !(has "psycopg-binary" || has "psycopg-c")) "libpq5";
    };

  # A virtual environment with these packages, and Debian packages that a project adds.
  environment =
    { packages, added }:
    builders.runCommand "python3-environment"
      {
        passthru = {
          inherit pythonVersion sitePackages packages;
          python = interpreter;
        };
        meta.mainProgram = "python3";
      }
      (
        ''
          ${runnable} ${./environment.py} ${./load.py} ${interpreter} $out ${sitePackages} ${debian.libraries} \
            ${lib.concatMapStringsSep " " (package: "${package}") packages} \
            -- ${lib.concatMapStringsSep " " (name: "${debian.${name}}") added} \
            -- ${
              lib.concatMapStringsSep " " (name: "${debian.${name}}") (lib.concatMap debian.closure added)
            }
        ''
        + lib.optionalString isForeign ''
          for package in ${lib.concatMapStringsSep " " (package: "${package}") packages}; do
            [ ! -e $package/nix-support/missing-foreign-libraries ] ||
              ${runnable} ${./linking.py} "''${package#*-}" $package/${sitePackages} ${interpreter.interpreter} $out/${debian.libraries}
          done
        ''
      );
in
interpreter
