# `nix run .#push`: an image into a registry, from its OCI layout.
{
  pkgs,
  # The layout, from oci.nix.
  oci,
}:
let
  inherit (import ../versions.nix pkgs) python;
in
pkgs.writeShellScriptBin "push" ''
  exec ${python}/bin/python3 ${./push.py} ${pkgs.skopeo}/bin/skopeo ${oci} \
    ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt "$@"
''
