# Images of several architectures as one OCI image layout, whose index a registry has under one tag: who pulls that gets the
# image of its own architecture.
{
  pkgs,
  name,
  # The layout of the first image, from oci.nix, and what belongs beside it, from ./referrers.
  oci,
  referrers,
  # The tag of what is pushed without one.
  tag,
}:
# The other images.
images:
let
  inherit (import ../versions.nix pkgs) python;
  layout = pkgs.runCommand "${baseNameOf name}-index" { } ''
    ln -s ${./oci.py} oci.py
    PYTHONPATH=. ${python}/bin/python3 ${./oci_index.py} $out ${oci} ${
      pkgs.lib.concatMapStringsSep " " (image: "${image.oci}") images
    }
  '';
in
layout
// {
  push = import ./push {
    inherit pkgs tag;
    oci = layout;
    referrers = [ referrers ] ++ map (image: image.referrers) images;
  };
}
