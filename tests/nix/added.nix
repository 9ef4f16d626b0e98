# What a project adds to the Debian set must be in its environment alone. The value is a list of what is built anew for
# it besides, and of what should be and is not.
{ lib }:
let
  lock = lib.importJSON ../../nix/debian/lock.json;

  # Of the set with these Debian packages added: the derivations of Python, of each Python package, and of an environment.
  derivations =
    added:
    let
      python =
        (import ../../nix/versions.nix (
          import ../../nix/debian/packages.nix {
            system = "x86_64-linux";
            lock = lock // {
              inherit added;
            };
          }
        )).python;
    in
    lib.mapAttrs (_: package: package.drvPath) (
      lib.filterAttrs (_: lib.isAttrs) python.pkgs
      // {
        environment = python.buildEnv.override { extraLibs = [ python.pkgs.django ]; };
      }
    );

  without = derivations [ ];
  # One that Python does without.
  with' = derivations [ "libpq5" ];
  changed = lib.filter (name: without.${name} != with'.${name}) (builtins.attrNames without);
in
lib.filter (name: name != "environment") changed
++ lib.filter (name: !(lib.elem name changed)) [ "environment" ]
