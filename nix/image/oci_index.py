"""An OCI image layout with an index of images for several architectures, from the layouts of these.

Specification: OCI image-spec 1.0, "Image Layout" and "Image Index". The index is a blob of its own, named by index.json, and
so a registry gets it byte for byte. It is the same in whichever order the layouts come. Blobs are links to theirs.

usage: oci_index.py OUT LAYOUT...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from oci import MEDIA_TYPE, add_document, encode


def main() -> None:
    out, *layouts = map(Path, sys.argv[1:])
    blobs = out / "blobs/sha256"
    blobs.mkdir(parents=True)
    images = []
    for layout in layouts:
        (image,) = json.loads((layout / "index.json").read_text())["manifests"]
        images.append(image)
        for blob in (layout / "blobs/sha256").iterdir():
            # Images share layers.
            if not (blobs / blob.name).exists():
                (blobs / blob.name).symlink_to(blob)
    check([image["platform"]["architecture"] for image in images])
    name = images[0]["annotations"]["org.opencontainers.image.ref.name"]
    index = of_index([{key: image[key] for key in image if key != "annotations"} for image in images])
    descriptor = add_document(blobs, "index.v1+json", encode(index))
    top = of_index([descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}}])
    (out / "index.json").write_bytes(encode(top))
    (out / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def check(architectures: list[str]) -> None:
    """Refuse images of which two are for one architecture."""
    if len(architectures) != len(set(architectures)):
        raise SystemExit(
            f"oci-index: an index has one image for each architecture, not {', '.join(architectures)}."
        )


def of_index(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The index of these descriptors, by architecture."""
    manifests = sorted(manifests, key=lambda each: each.get("platform", {}).get("architecture", ""))
    return {"schemaVersion": 2, "mediaType": f"{MEDIA_TYPE}.index.v1+json", "manifests": manifests}


if __name__ == "__main__":
    main()
