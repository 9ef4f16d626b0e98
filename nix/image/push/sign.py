"""What `push --sign` puts beside an image: signatures and attestations, as cosign lays them there."""

from __future__ import annotations

import hashlib
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from attach import descriptors, subject
from claims import Claim, attestations, claims_in, encode, signature, tag_of
from descriptors import are_descriptors
from errors import NotCopied
from keys import accepts
from lists import Addition
from media_types import MANIFEST, PROVENANCE
from repository import Repository
from signing import Signer

CONFIG = "application/vnd.oci.image.config.v1+json"


def signatures(
    digests: list[str], tag: str, artifacts: list[Path], repository: Repository, signer: Signer
) -> list[Addition]:
    """Those of images, of what lies beside them, and of what that states. What the key has signed is not signed again.

    Args:
        digests: of the images, and of their index.
        tag: with the colon: that by which they were pushed, which their signatures name.
        artifacts: layouts of what lies beside them, from ../referrers and inputs.py.
        repository: has it all.
    """
    name = repository.address.removeprefix("docker://")
    claims = [([signature(f"{name}{tag}", digest)], digest) for digest in digests]
    for layout in artifacts:
        for each in descriptors(layout):
            # Whatever tag the image has, the artifact has none.
            claims.append(([signature(name, each["digest"])], each["digest"]))
            if each["artifactType"] == PROVENANCE:
                claims.append((attestations(layout), subject(layout, each)))
    return [partial(add, of_one, digest, repository, signer) for of_one, digest in claims]


def add(claims: list[Claim], digest: str, repository: Repository, signer: Signer) -> bool:
    """Put claims of one kind about an image to those that are there; whether the key's holder had not made one yet.

    Raises:
        NotCopied: they are not there.
        Unusable: the key is not to be had any more.
    """
    name = f":{tag_of(digest, claims[0].kind)}"
    with tempfile.TemporaryDirectory(prefix="push-") as scratch:
        folder = Path(scratch, "claims")
        there = repository.read(name, folder)
        made = [
            claim
            for claim, signatures in (claims_in(folder) if there else ())
            if accepts(signer.public, claim.message, signatures)
        ]
        new = [claim for claim in claims if claim not in made]
        if not new:
            return False
        folder.mkdir(exist_ok=True)
        file = folder / "manifest.json"
        layers = json.loads(file.read_text()).get("layers") if there else []
        if not are_descriptors(layers):
            raise NotCopied(f"the tag {name[1:]} has something else")
        for claim in new:
            content, annotations = claim.signed(signer.sign(claim.message))
            layers.append({**described(folder, claim.kind, content), "annotations": annotations})
        rootfs = {"type": "layers", "diff_ids": [each["digest"] for each in layers]}
        config = encode({"architecture": "", "os": "", "config": {}, "rootfs": rootfs})
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(folder, CONFIG, config),
            "layers": layers,
        }
        file.write_bytes(encode(manifest))
        repository.write(f"dir:{folder}", name)
        return True


def described(folder: Path, kind: str, content: bytes) -> dict[str, Any]:
    """Put it into a folder in skopeo's layout `dir`; its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    (folder / digest).write_bytes(content)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}
