# Python, with what signs and checks signatures. The lock of a project on the Debian set may be older than that.
{ pkgs }:
let
  inherit (pkgs) lib;
  inherit (import ../versions.nix pkgs) python;
in
python.buildEnv.override {
  extraLibs = map (name: python.pkgs.${name}) (
    lib.filter (name: python.pkgs ? ${name}) [
      "cryptography"
      "pynacl"
    ]
  );
}
