# The attributes, under nixpkgs' names. What each is made of is in the files imported here.
{
  system,
  lock ? builtins.fromJSON (builtins.readFile ./lock.json),
}:
let
  lib = import ./lib.nix;
  builders = import ./builders.nix {
    inherit
      lib
      system
      lock
      debian
      python
      ;
  };
  debian = import ./debian.nix { inherit lib lock builders; };
  busybox = import ./busybox.nix { inherit builders debian; };
  python = import ./python.nix {
    inherit
      lib
      lock
      builders
      debian
      compiler
      ;
  };
  compiler = import ./compiler.nix {
    inherit
      lib
      lock
      builders
      debian
      ;
  };
in
builders.public
// compiler.public
// {
  inherit lib system;
  inherit busybox;
  inherit (debian)
    autoPatchelfHook
    haproxy
    skopeo
    tini
    ;
  bashInteractive = debian.bash;
  cacert = import ./cacert.nix { inherit builders debian; };
  dockerTools = import ./docker-tools {
    inherit
      lib
      builders
      busybox
      debian
      python
      ;
  };
  glibc = debian.libc6;
  pythonManylinuxPackages.manylinux2014 = debian.manylinux;
  postgresql_17 = import ./postgresql.nix { inherit builders debian python; };
  python313 = python;
  inherit (python.pkgs) ruff;
  syft = import ./syft.nix { inherit builders python; };
  tzdata = debian.tzdata;
}
