# What lies beside an image in a registry: its bill of materials and its provenance, as an OCI image layout.
{
  pkgs,
  name,
  # The image's layout, from ../oci.nix, and its bill of materials, from ../sbom.
  oci,
  sbom,
  # The commit, and the address of its repository, or null.
  revision,
  source,
  system,
}:
let
  inherit (pkgs) lib;
  inherit (import ../../versions.nix pkgs) python;
  project = builtins.toJSON {
    inherit
      name
      revision
      source
      system
      ;
  };
  # The file of the derivation, and so those of all that it is built of; but nothing of it is built for that.
  derivation = builtins.unsafeDiscardOutputDependency oci.drvPath;
in
pkgs.runCommand "${baseNameOf name}-referrers" { } ''
  PYTHONPATH=${../../registry} ${python}/bin/python3 -S ${./.}/referrers.py ${oci} ${sbom} ${derivation} ${lib.escapeShellArg project} $out
''
