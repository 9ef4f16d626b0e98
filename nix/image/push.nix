# `nix run .#push`: an image into a registry, from its OCI layout.
{
  pkgs,
  # The layout, from oci.nix.
  oci,
}:
pkgs.writeShellScriptBin "push" ''
  exec ${pkgs.python313}/bin/python3 ${./push.py} ${pkgs.skopeo}/bin/skopeo ${oci} \
    ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt "$@"
''
