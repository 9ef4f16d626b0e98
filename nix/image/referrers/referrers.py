"""What lies beside an image in a registry: its bill of materials and its provenance, as an OCI image layout.

Each is an artifact whose manifest names the image's as its subject (OCI image-spec 1.1, "Guidelines for Artifact Usage").

usage: referrers.py LAYOUT SBOM DERIVATION PROJECT OUT

LAYOUT is the image's; DERIVATION that which has built it; PROJECT JSON about it; OUT the layout to write.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from media_types import INDEX, MANIFEST, PROVENANCE, SBOM
from provenance import PREDICATE, statement


def main(layout: str, sbom: str, derivation: str, project: str, out: str) -> None:
    described = json.loads(project)
    (image,) = json.loads(Path(layout, "index.json").read_text())["manifests"]
    subject = {key: image[key] for key in ("mediaType", "digest", "size")}
    provenance = statement(described, image["digest"], Path(derivation))
    blobs = Path(out, "blobs/sha256")
    blobs.mkdir(parents=True)
    manifests = [
        artifact(blobs, subject, SBOM, f"{described['name']}.cdx.json", Path(sbom).read_bytes(), {}),
        artifact(
            blobs,
            subject,
            PROVENANCE,
            f"{described['name']}.provenance.json",
            encode(provenance),
            {"in-toto.io/predicate-type": PREDICATE},
        ),
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    Path(out, "index.json").write_bytes(encode(index))
    Path(out, "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def artifact(
    blobs: Path, subject: dict[str, Any], kind: str, title: str, content: bytes, annotations: dict[str, str]
) -> dict[str, Any]:
    """Write an artifact of one file; its descriptor, as a list of referrers has it (distribution-spec 1.1)."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": add(blobs, "application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [{**add(blobs, kind, content), "annotations": {"org.opencontainers.image.title": title}}],
        "subject": subject,
        "annotations": annotations,
    }
    # The name by which skopeo finds it among several.
    named = annotations | {"org.opencontainers.image.ref.name": title}
    return {**add(blobs, MANIFEST, encode(manifest)), "artifactType": kind, "annotations": named}


def add(blobs: Path, kind: str, content: bytes) -> dict[str, Any]:
    """Write a blob; its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def encode(document: dict[str, Any]) -> bytes:
    """As JSON, in one way."""
    return json.dumps(document, separators=(",", ":")).encode()


if __name__ == "__main__":
    main(*sys.argv[1:])
