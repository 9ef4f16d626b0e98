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

    # The server reads time zones from /usr/share/zoneinfo, which a sandbox or a small machine lacks. Only a path as short
    # can take its place: that of a file descriptor, opened before the server starts. Nothing of it is in the cluster.
    server=lib/postgresql/17/bin/postgres
    mkdir $out/libexec && mv $out/$server $out/libexec/postgres
    ${python}/bin/python3 - $out/libexec/postgres <<'END'
    import pathlib, sys
    program = pathlib.Path(sys.argv[1])
    before = b"/usr/share/zoneinfo\0"
    content = program.read_bytes()
    assert content.count(before) == 1
    program.write_bytes(content.replace(before, b"/proc/self/fd/99".ljust(len(before), b"\0")))
    END
    # It finds its files from its name, which stays that of the wrapper.
    cat > $out/$server <<END
    #!${debian.bash}/bin/bash
    exec 99< ${debian.tzdata}/share/zoneinfo
    exec -a "\$0" $out/libexec/postgres "\$@"
    END

    # A new cluster is in GMT, whatever the machine's zone is: the set may not have that.
    rm $out/bin/initdb
    cat > $out/bin/initdb <<END
    #!${debian.bash}/bin/bash
    TZ=GMT exec $out/lib/postgresql/17/bin/initdb "\$@"
    END
    chmod +x $out/$server $out/bin/initdb
  ''
