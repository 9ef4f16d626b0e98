# Debian's PostgreSQL, server and clients, with its programs in `bin`.
{
  builders,
  debian,
  python,
}:
let
  version = builtins.head (builtins.split "-" debian.postgresql-17.version);
in
builders.runCommand "postgresql-${version}"
  {
    passthru = {
      pname = "postgresql";
      inherit version;
      psqlSchema = "17";
    };
  }
  ''
    cp -a ${debian.postgresql-17} $out
    chmod -R u+w $out
    # Debian's are wrappers in Perl that choose between clusters.
    rm -rf $out/bin && mkdir $out/bin
    for program in $out/lib/postgresql/17/bin/*; do
      ln -s ../lib/postgresql/17/bin/''${program##*/} $out/bin/
    done
    # The clients stay in their own package, so that it can be told where one is from.
    ln -s ${debian.postgresql-client-17}/lib/postgresql/17/bin/* $out/bin/

    # The server reads time zones from /usr/share/zoneinfo, which a sandbox or a small machine lacks. It works in the
    # folder of its data, so "zoneinfo" there can be the link to them that initdb makes.
    ${python}/bin/python3 - $out/lib/postgresql/17/bin/postgres <<'END'
    import pathlib, sys
    program = pathlib.Path(sys.argv[1])
    before = b"/usr/share/zoneinfo\0"
    content = program.read_bytes()
    assert content.count(before) == 1
    program.write_bytes(content.replace(before, b"zoneinfo".ljust(len(before), b"\0")))
    END
    rm $out/bin/initdb
    sed -e s,@initdb@,$out/lib/postgresql/17/bin/initdb, -e s,@zoneinfo@,${debian.tzdata}/share/zoneinfo, -e s,@sh@,${debian.bash}/bin/bash, \
      ${./initdb.sh} > $out/bin/initdb
    chmod +x $out/bin/initdb
  ''
