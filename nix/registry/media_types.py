"""Media types of what lies beside an image in a registry. Whoever looks for it goes by these, in images of every age."""

from __future__ import annotations

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

# Kinds of artifacts.
SBOM = "application/vnd.cyclonedx+json"
PROVENANCE = "application/vnd.in-toto+json"
INPUTS = "application/vnd.nix.inputs"

# What the inputs consist of.
FILE, NAR, BUNDLE = "application/vnd.nix.file", "application/vnd.nix.nar", "application/vnd.git.bundle"
