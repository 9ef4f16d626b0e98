# `nix run .#push`: an image, or an index of several, into a registry, from its OCI layout.
{
  pkgs,
  # The layout, from ../oci.nix or ../oci-index.nix.
  oci,
  # What belongs beside it, a list of layouts from ../referrers.
  referrers,
  # The tag of what is pushed without one.
  tag,
}:
let
  inherit (pkgs) lib;
  python = import ../../registry/python.nix { inherit pkgs; };
in
pkgs.writeShellScriptBin "push" ''
  export PYTHONPATH=${../referrers}:${../../registry}
  exec ${python}/bin/python3 ${./.}/push.py ${pkgs.skopeo}/bin/skopeo ${oci} ${lib.concatStringsSep ":" referrers} \
    ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt ${lib.escapeShellArg tag} "$@"
''
