"""How registries name things: patterns of regular expressions, each for a whole part of a name.

OCI distribution-spec 1.0, "Pulling manifests", for names and tags; image-spec 1.0, "Digests". A host is always named, with a dot,
a port, or as localhost: else Docker Hub's would be meant, unintended.
"""

from __future__ import annotations

HOST = r"(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:)|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
NAME = rf"{COMPONENT}(?:/{COMPONENT})*"
TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}"
