# What source distributions are compiled with: Debian's GCC, the C library's and other headers, and the libraries to link
# with, in one tree, as GCC expects to find them. Nothing that is built refers to it.
{
  lib,
  lock,
  builders,
  debian,
  platform,
}:
let
  compiler =
    lock.compiler
      or (throw "The Debian set's lock is older than its compiler: run `nixw relock` in the project's folder.");
  withDependencies = names: lib.unique (lib.concatMap debian.closure names);
  isDevelopment = lib.hasSuffix "-dev";

  # Written for x86_64.
  script =
    if platform.triple == "x86_64-linux-gnu" then
      ./compiler.sh
    else
      builders.public.writeText "compiler.sh" (
        builtins.replaceStrings
          [
            "x86_64-linux-gnu"
            "ld-linux-x86-64.so.2"
          ]
          [
            platform.triple
            platform.loader
          ]
          (builtins.readFile ./compiler.sh)
      );

  tree = builders.runCommand "compiler" { } ''
    archives="${lib.concatMapStringsSep " " (name: "${debian.archive name}") (
      withDependencies compiler
    )}"
    patchelf=${debian.patchelf}/bin/patchelf
    postgresql=${lib.head (lib.split "-" lock.debian.libpq-dev.version)}
    . ${script}
  '';
in
{
  inherit tree;

  # For a build script that has compiled something into $out: what only debuggers read goes, and the compiler's name.
  hook = builders.setupHook "compiled" ''
    find $out -type f | while read -r file; do
      [ "$(head -c 4 "$file" | tail -c 3)" != ELF ] || ${tree}/bin/strip --strip-debug "$file"
    done
    find $out -type f -exec $python ${./remove_references_to.py} -t ${tree} {} +
  '';

  # Libraries and programs under nixpkgs' names. What it takes to compile with them is in the tree.
  public = {
    curl = debian.libcurl4t64;
    cyrus_sasl = debian.libsasl2-2;
    libffi = debian.libffi8;
    libjpeg = debian.libjpeg62-turbo;
    libmysqlclient = debian.libmariadb3;
    libpq = debian.libpq5 // {
      pg_config = tree;
    };
    inherit (debian) libxml2;
    libxslt = debian."libxslt1.1";
    openldap = debian.libldap2;
    openssl = debian.libssl3t64;
    pkg-config = tree;
    zlib = debian.zlib1g;
  };

  # What compiled packages may be linked with.
  libraries = map (name: debian.${name}) (
    lib.filter (name: lib.hasPrefix "lib" name && !isDevelopment name) (
      withDependencies (lib.filter isDevelopment compiler)
    )
  );
}
