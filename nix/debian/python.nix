# Debian's Python, wheels, and environments of them, with the interface of nixpkgs' `python3`.
{
  lib,
  lock,
  builders,
  debian,
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
            withPackages
            ;
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
        for data in _sysconfigdata__*.py; do
          [ -L "$data" ] || sed -i "s,'TZPATH': .*,'TZPATH': '${debian.tzdata}/share/zoneinfo'\,," "$data"
          grep -q ${debian.tzdata} "$data"
        done

        python=$out/bin/python${pythonVersion}
        ${compile "$out/lib/python${pythonVersion}"}
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
    builders.runCommand "python3-${name}-${version}"
      {
        passthru = {
          pname = name;
          inherit version;
          propagatedBuildInputs = map (required: pkgs.${required}) requires;
          optional-dependencies = lib.mapAttrs (_: map (required: pkgs.${required})) extras;
        };
      }
      ''
        python=${interpreter.interpreter}
        $python ${./install_wheel.py} ${
          builders.seeded {
            name = file;
            inherit sha256;
          }
        } $out ${sitePackages}
        ${debian.elf}
        # What these have not got, an environment may: there it is looked for.
        missing=$out/nix-support/missing-libraries
        fix_elf_files $out ${
          lib.concatMapStringsSep ":" debian.libraryFolder [
            "libc6"
            "libgcc-s1"
            "libstdc++6"
            "zlib1g"
          ]
        } "" $missing
        [ -e $missing ] || $python ${./load.py} "$name" $out/${sitePackages}
        ${compile "$out/${sitePackages}"}
      '';

  # A Python package that is Debian's, because it is compiled against Debian's libraries.
  fromDebian =
    name: package:
    builders.runCommand "python3-${name}-${lib.head (lib.split "-" lock.debian.${package}.version)}"
      {
        passthru = {
          pname = name;
          version = lib.head (lib.split "-" lock.debian.${package}.version);
          # Debian's name of a Python package that it has for itself alone.
          propagatedBuildInputs = map (depended: fromDebian depended depended) (
            lib.filter (lib.hasPrefix "python3-") lock.debian.${package}.depends
          );
          optional-dependencies = { };
        };
      }
      ''
        mkdir -p $out/$(dirname ${sitePackages})
        cp -a ${debian.${package}}/lib/python3/dist-packages $out/${sitePackages}
        cp -a ${debian.${package}}/share $out/share
        chmod -R u+w $out
        python=${interpreter.interpreter}
        ${compile "$out/${sitePackages}"}
      '';

  pkgs =
    lib.mapAttrs fromDebian lock.debian-python
    // lib.mapAttrs wheel lock.wheels
    // {
      python = interpreter;
    };

  # An environment with the packages that `select` picks from the set, and all they need: a virtual environment.
  withPackages =
    select:
    let
      closure = builtins.genericClosure {
        startSet = map keyed (select pkgs);
        operator = item: map keyed item.package.propagatedBuildInputs;
      };
      keyed = package: {
        key = package.pname;
        inherit package;
      };
    in
    builders.runCommand "python3-environment"
      {
        passthru = {
          inherit pythonVersion sitePackages;
          python = interpreter;
          packages = map (item: item.package) closure;
        };
        meta.mainProgram = "python3";
      }
      ''
        ${interpreter.interpreter} ${./environment.py} ${./load.py} ${interpreter} $out ${sitePackages} ${debian.libraries} \
          ${lib.concatMapStringsSep " " (item: "${item.package}") closure} \
          -- ${lib.concatMapStringsSep " " (name: "${debian.${name}}") lock.added} \
          -- ${
            lib.concatMapStringsSep " " (name: "${debian.${name}}") (lib.concatMap debian.closure lock.added)
          }
      '';
in
interpreter
