# An image as an OCI image layout: a folder from which registries get it layer by layer, each compressed once and for all.
{
  pkgs,
  name,
  # A program that writes the image to standard output; its `rest`, on a set that has it, is a command.
  stream,
}:
let
  inherit (import ../versions.nix pkgs) python;
in
# What the package set has compressed already, if it does that, need not be compressed again.
pkgs.runCommand "${baseNameOf name}-oci" { }
  "${stream.rest or stream} | ${python}/bin/python3 ${./oci.py} $out ${stream.compressedLayers or ""}"
