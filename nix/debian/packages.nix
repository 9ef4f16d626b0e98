# The attributes, under nixpkgs' names. What each is made of is in the files imported here.
{
  # What the packages run on, and what builds them. Where these differ, nothing that is built is run.
  system,
  machine ? system,
  lock ? builtins.fromJSON (builtins.readFile ./lock.json),
}:
let
  lib = import ./lib.nix;
  lockFor = (import ./locked.nix lock).for;

  # The parts of the set for a system. `build` has those of the machine that builds: programs that are run come from there.
  partsFor =
    system: build:
    let
      lock = lockFor system;
      platform = (import ./platforms.nix).${system};
      # Whether this set's programs are for another machine than the one that builds.
      isForeign = system != machine;

      builders = import ./builders.nix {
        inherit lib debian build;
        lock = lockFor machine;
        system = machine;
      };
      debian = import ./debian.nix {
        inherit
          lib
          lock
          builders
          build
          platform
          isForeign
          ;
      };
      busybox = import ./busybox.nix {
        inherit
          builders
          debian
          build
          isForeign
          ;
      };
      python = import ./python.nix {
        inherit
          lib
          lock
          builders
          debian
          compiler
          build
          isForeign
          ;
      };
      compiler = import ./compiler.nix {
        inherit
          lib
          lock
          builders
          debian
          platform
          ;
      };
    in
    {
      inherit
        lock
        builders
        debian
        busybox
        python
        ;
      set =
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
          # What is run to build, and makes things for this set's system.
          buildPackages = build.set // {
            inherit (debian) autoPatchelfHook;
          };
          cacert = import ./cacert.nix { inherit builders debian; };
          dockerTools = import ./docker-tools {
            inherit lib;
            inherit (build)
              builders
              busybox
              debian
              python
              ;
            defaultArchitecture = platform.architecture;
          };
          glibc = debian.libc6;
          pythonManylinuxPackages.manylinux2014 = debian.manylinux;
          postgresql_17 = import (if isForeign then ./postgresql-clients.nix else ./postgresql.nix) {
            inherit builders debian python;
          };
          python313 = python;
          inherit (python.pkgs) ruff;
          stdenv = {
            hostPlatform = { inherit system; };
            buildPlatform = {
              system = machine;
              canExecute = platform: platform.system == machine;
            };
          };
          syft = import ./syft.nix { inherit builders python; };
          tzdata = debian.tzdata;
        };
    };

  native = partsFor machine native;
in
(if system == machine then native else partsFor system native).set
