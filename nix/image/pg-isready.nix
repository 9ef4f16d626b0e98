# Of PostgreSQL's programs an image has this one. Copied out, it takes none of the others with it.
{ pkgs }:
let
  inherit (import ../versions.nix pkgs) postgresql;
in
pkgs.runCommand "postgresql-${postgresql.version}-pg_isready"
  { nativeBuildInputs = [ pkgs.buildPackages.removeReferencesTo ]; }
  ''
    program=$(readlink -f ${postgresql}/bin/pg_isready)
    package=$(echo "$program" | cut -d / -f 1-4)
    mkdir -p $out/bin
    cp "$program" $out/bin/pg_isready
    chmod u+w $out/bin/pg_isready
    remove-references-to -t "$package" $out/bin/pg_isready
    # Its licence and, in a set made of a distribution's packages, the record of its package go along.
    cd "$package"
    for record in share/doc/*/copyright share/dpkg/status.d/*; do
      if [ -f "$record" ]; then
        mkdir -p "$out/''${record%/*}"
        cp "$record" "$out/$record"
      fi
    done
  ''
