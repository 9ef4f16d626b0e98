# A small PostgreSQL image from the package set, for tests and for networks without a container registry. It takes the
# variables and the volume of the official image, as far as compose.yaml uses them.
{ pkgs }:
let
  inherit (import ../versions.nix pkgs) postgresql;
  uid = "999";
  start = pkgs.writeShellScriptBin "start-postgres" (builtins.readFile ./start-postgres.sh);
in
pkgs.dockerTools.buildLayeredImage {
  name = "postgres";
  tag = "17-nix";
  # One layer: nothing else shares its parts.
  layeringPipeline = [ ];
  extraCommands = ''
    mkdir -p bin etc tmp run/postgresql usr/share var/lib/postgresql/data
    ln -s ${pkgs.busybox}/bin/sh bin/sh
    ln -s ${pkgs.tzdata}/share/zoneinfo usr/share/zoneinfo
    echo "root:x:0:0:root:/root:/bin/sh" > etc/passwd
    echo "postgres:x:${uid}:${uid}:PostgreSQL:/var/lib/postgresql:/bin/sh" >> etc/passwd
    echo "root:x:0:" > etc/group
    echo "postgres:x:${uid}:" >> etc/group
  '';
  fakeRootCommands = ''
    export SOURCE_DATE_EPOCH=1
    chown -R ${uid}:${uid} run/postgresql var/lib/postgresql
    chmod 700 var/lib/postgresql/data
    chmod 1777 tmp
  '';
  config = {
    Entrypoint = [ "${start}/bin/start-postgres" ];
    User = "${uid}:${uid}";
    ExposedPorts."5432/tcp" = { };
    # "Fast" shutdown: disconnect the clients, do not wait for them.
    StopSignal = "SIGINT";
    Volumes."/var/lib/postgresql/data" = { };
    Env = [
      "PATH=${
        pkgs.lib.makeBinPath [
          postgresql
          pkgs.busybox
        ]
      }"
      "LANG=C.UTF-8"
      "PGDATA=/var/lib/postgresql/data"
    ];
  };
}
