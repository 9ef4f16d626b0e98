# `nix run .#push`: an image into a registry, from its OCI layout.
{
  pkgs,
  # The layout, from ../oci.nix.
  oci,
  # The tag of what is pushed without one.
  tag,
}:
let
  inherit (pkgs) lib;
  inherit (import ../../versions.nix pkgs) python;
in
pkgs.writeShellScriptBin "push" ''
  exec ${python}/bin/python3 ${./.}/push.py ${pkgs.skopeo}/bin/skopeo ${oci} \
    ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt ${lib.escapeShellArg tag} "$@"
''
