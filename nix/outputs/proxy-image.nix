# A small HAProxy image from the package set, for tests and for networks without a container registry. It takes its
# configuration where the official image does, as far as deploy/swarm.yaml uses it.
{ pkgs }:
let
  uid = "99";
in
pkgs.dockerTools.buildLayeredImage {
  name = "haproxy";
  tag = "nix";
  # One layer: nothing else shares its parts.
  layeringPipeline = [ ];
  extraCommands = ''
    mkdir -p etc tmp usr/local/etc/haproxy
    echo "haproxy:x:${uid}:${uid}:HAProxy:/tmp:/bin/false" > etc/passwd
    echo "haproxy:x:${uid}:" > etc/group
  '';
  fakeRootCommands = ''
    export SOURCE_DATE_EPOCH=1
    chmod 1777 tmp
  '';
  config = {
    # -W: a master that passes signals on to its worker; -db: in the foreground.
    Entrypoint = [
      "${pkgs.haproxy}/bin/haproxy"
      "-W"
      "-db"
    ];
    Cmd = [
      "-f"
      "/usr/local/etc/haproxy/haproxy.cfg"
    ];
    User = "${uid}:${uid}";
    # Finish what is under way, then end.
    StopSignal = "SIGUSR1";
  };
}
