"""What the holder of a key says of an image, where cosign looks for it: layers of a manifest under a tag of the image's digest.

A signature is "simple signing" (containers/image, "containers-signature(5)"); an attestation is an in-toto statement in an
envelope of DSSE v1.0 (secure-systems-lab/dsse). The tags, media types and annotations are those of cosign's specifications.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from media_types import PROVENANCE, SBOM

SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
STATEMENT = "application/vnd.in-toto+json"
# The predicate of a statement that has a bill of materials in CycloneDX.
CYCLONEDX = "https://cyclonedx.org/bom"


@dataclass(frozen=True)
class Claim:
    """Two are equal if they say the same, however it is written.

    Attributes:
        kind: the media type of its layer.
        says: which image it is, or the statement.
        payload: that, as it is written.
    """

    kind: str
    says: dict[str, Any]
    payload: bytes = field(compare=False)

    @property
    def message(self) -> bytes:
        """What is signed; of a statement, its "pre-authentication encoding"."""
        if self.kind == SIGNATURE:
            return self.payload
        return b"DSSEv1 %d %s %d %s" % (len(STATEMENT), STATEMENT.encode(), len(self.payload), self.payload)

    def signed(self, signature: bytes) -> tuple[bytes, dict[str, str]]:
        """The layer: its content and annotations."""
        encoded = base64.b64encode(signature).decode()
        if self.kind == SIGNATURE:
            return self.payload, {ANNOTATION: encoded}
        payload = base64.b64encode(self.payload).decode()
        envelope = {
            "payloadType": STATEMENT,
            "payload": payload,
            "signatures": [{"keyid": "", "sig": encoded}],
        }
        return encode(envelope), {ANNOTATION: "", "predicateType": self.says["predicateType"]}


def signature(identity: str, digest: str) -> Claim:
    """That the image of this digest is what is called by this name, HOST/NAME or HOST/NAME:TAG."""
    critical = {
        "identity": {"docker-reference": identity},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return Claim(SIGNATURE, critical, encode({"critical": critical, "optional": None}))


def attestations(layout: Path) -> list[Claim]:
    """What a provenance and a bill of materials say of an image, which a layout of ../image/referrers is about."""
    index = json.loads((layout / "index.json").read_bytes())
    content = {}
    for artifact in index["manifests"]:
        (layer,) = json.loads(blob(layout, artifact["digest"]))["layers"]
        content[artifact["artifactType"]] = blob(layout, layer["digest"])
    provenance = json.loads(content[PROVENANCE])
    materials = provenance | {"predicateType": CYCLONEDX, "predicate": json.loads(content[SBOM])}
    return [
        Claim(ENVELOPE, provenance, content[PROVENANCE]),
        Claim(ENVELOPE, materials, encode(materials)),
    ]


def claims_in(folder: Path) -> Iterator[tuple[Claim, list[bytes]]]:
    """The claims of a manifest in skopeo's layout `dir`, and their signatures, which nobody has checked.

    Anybody may have written it: what is no claim is passed over.
    """
    try:
        layers = json.loads((folder / "manifest.json").read_bytes())["layers"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    for layer in layers if isinstance(layers, list) else []:
        try:
            content = (folder / layer["digest"].removeprefix("sha256:")).read_bytes()
            claim, signatures = read(layer, content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError):
            continue
        if isinstance(claim.says, dict):
            yield claim, signatures


def read(layer: dict[str, Any], content: bytes) -> tuple[Claim, list[bytes]]:
    """The claim of a layer, and its signatures. Raises one of many errors if it is none."""
    if layer["mediaType"] == SIGNATURE:
        signature = base64.b64decode(layer["annotations"][ANNOTATION])
        return Claim(SIGNATURE, json.loads(content)["critical"], content), [signature]
    envelope = json.loads(content)
    payload = base64.b64decode(envelope["payload"])
    signatures = [base64.b64decode(each["sig"]) for each in envelope["signatures"]]
    return Claim(ENVELOPE, json.loads(payload), payload), signatures


def tag_of(digest: str, kind: str) -> str:
    """Where the claims of that kind about an image are."""
    return f"{digest.replace(':', '-')}.{'sig' if kind == SIGNATURE else 'att'}"


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
