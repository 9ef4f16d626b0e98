# Debian's PostgreSQL for another machine than the one that builds: the clients, which is all that the image of a project takes.
{ builders, debian, ... }:
let
  version = builtins.head (builtins.split "-" debian.postgresql-client-17.version);
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
    mkdir -p $out/bin
    ln -s ${debian.postgresql-client-17}/lib/postgresql/17/bin/* $out/bin/
  ''
