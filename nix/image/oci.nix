# An image as an OCI image layout: a folder from which registries get it layer by layer, each compressed once and for all.
{
  pkgs,
  name,
  # A program that writes the image to standard output.
  stream,
}:
pkgs.runCommand "${baseNameOf name}-oci" { } "${stream} | ${pkgs.python313}/bin/python3 ${./oci.py} $out"
