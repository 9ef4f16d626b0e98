"""The bill of materials and the provenance of an image that was pushed, beside it (OCI distribution-spec 1.1, "Referrers").

A registry that knows the specification lists them by their subject; for every other one, and for clients of either, a tag that
is named for the image's digest has an index of them.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from lists import Addition
from media_types import INDEX
from repository import Repository

NAME = "org.opencontainers.image.ref.name"


def attach(layout: Path, repository: Repository) -> list[Addition]:
    """Put what a layout holds into the repository. What is there already stays, and is not sent again.

    Args:
        layout: of the artifacts, from ../referrers.
        repository: has the images that they are about.

    Returns:
        What is to be added to the lists of what lies beside these images.

    Raises:
        NotCopied: it is not there.
    """
    subjects: dict[str, list[dict[str, Any]]] = {}
    for each in descriptors(layout):
        subjects.setdefault(subject(layout, each), []).append(each)
        repository.write(f"oci:{layout}:{each['annotations'][NAME]}", f"@{each['digest']}")
    return [
        partial(listed, found, f":{digest.replace(':', '-')}", repository)
        for digest, found in subjects.items()
    ]


def descriptors(layout: Path) -> list[dict[str, Any]]:
    """Of the artifacts that a layout holds."""
    found: list[dict[str, Any]] = json.loads((layout / "index.json").read_text())["manifests"]
    return found


def subject(layout: Path, artifact: dict[str, Any]) -> str:
    """The digest of the image that it is about."""
    manifest = json.loads((layout / "blobs" / artifact["digest"].replace(":", "/")).read_text())
    return str(manifest["subject"]["digest"])


def listed(artifacts: list[dict[str, Any]], tag: str, repository: Repository) -> bool:
    """Add the artifacts to the index under the tag; whether one was not in it. Raises NotCopied, too, if there is no index."""
    with tempfile.TemporaryDirectory(prefix="push-") as scratch:
        folder = Path(scratch, "index")
        known = repository.index(tag, folder)
        digests = {each["digest"] for each in known}
        new = [described(each) for each in artifacts if each["digest"] not in digests]
        if new:
            folder.mkdir(exist_ok=True)
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*known, *new]}
            (folder / "manifest.json").write_text(json.dumps(index, separators=(",", ":")))
            repository.write(f"dir:{folder}", tag, "--multi-arch", "index-only")
        return bool(new)


def described(artifact: dict[str, Any]) -> dict[str, Any]:
    """Its descriptor, without the name that it has in the layout."""
    annotations = {key: value for key, value in artifact["annotations"].items() if key != NAME}
    return {**artifact, "annotations": annotations}
