"""Descriptors, by which indexes and manifests name what they consist of."""

from __future__ import annotations

import re


def are_descriptors(found: object) -> bool:
    """OCI image-spec 1.0, "Content Descriptors"; of the digests only SHA-256."""
    return isinstance(found, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("size"), int)
        and isinstance(each.get("platform", {}), dict)
        and isinstance(each.get("annotations") or {}, dict)
        and re.fullmatch("sha256:[0-9a-f]{64}", str(each.get("digest")))
        for each in found
    )
