# `nix run .#verify`: is an image in a registry what its revision builds?
{ pkgs }:
let
  inherit (import ../versions.nix pkgs) python;
in
{
  verify = pkgs.writeShellScriptBin "verify" ''
    exec ${python}/bin/python3 ${./.}/verify.py ${pkgs.skopeo}/bin/skopeo ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt "$@"
  '';
}
