"""The bill of materials and the provenance of an image that was pushed, beside it (OCI distribution-spec 1.1, "Referrers").

A registry that knows the specification lists them by their subject; for every other one, and for clients of either, a tag that
is named for the image's digest has an index of them.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from media_types import INDEX

NAME = "org.opencontainers.image.ref.name"
# Options of `skopeo copy` that say how to reach the destination, and are there for the source, too; those without a value.
REACHING = re.compile(
    r"--dest-(authfile|cert-dir|creds|no-creds|password|registry-token|tls-verify|username)(?==|$)"
)
ALONE = re.compile(r"--dest-(no-creds|tls-verify)(=.*)?$|--dest-[a-z-]+=")
NONE = re.compile(r"manifest unknown|name unknown|not found", re.IGNORECASE)

# Copies by skopeo: options, source, target. Returns why not, or "".
Copy = Callable[[list[str], str, str], str]


def attach(layout: Path, repository: str, options: list[str], copy: Copy) -> str:
    """Put what a layout holds beside the images that it is about. What is there already stays, and is not sent again.

    Args:
        layout: of the artifacts, from ../referrers.
        repository: docker://HOST/NAME, which has the images.
        options: those of `skopeo copy` with which the image was pushed.

    Returns:
        Why it is not there, or "".
    """
    options = without_format(options)
    subjects: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads((layout / "index.json").read_text())["manifests"]:
        subjects.setdefault(subject(layout, each), []).append(each)
        target = f"{repository}@{each['digest']}"
        if why := copy([*options, "--preserve-digests"], f"oci:{layout}:{each['annotations'][NAME]}", target):
            return why
    for digest, artifacts in subjects.items():
        if why := listed(artifacts, f"{repository}:{digest.replace(':', '-')}", options, copy):
            return why
    return ""


def subject(layout: Path, artifact: dict[str, Any]) -> str:
    """The digest of the image that it is about."""
    manifest = json.loads((layout / "blobs" / artifact["digest"].replace(":", "/")).read_text())
    return str(manifest["subject"]["digest"])


def without_format(options: list[str]) -> list[str]:
    """An artifact has one format."""
    words, found = iter(options), []
    for word in words:
        if word in ("--format", "-f"):
            next(words, "")
        elif not word.startswith("--format="):
            found.append(word)
    return found


def listed(artifacts: list[dict[str, Any]], tag: str, options: list[str], copy: Copy) -> str:
    """Add the artifacts to the index under the tag, if they are not in it."""
    with tempfile.TemporaryDirectory(prefix="push-") as scratch:
        before = Path(scratch, "before")
        why = copy(["--quiet", *for_source(options), "--multi-arch", "index-only"], tag, f"dir:{before}")
        if why and not NONE.search(why):
            return why
        known = [] if why else json.loads((before / "manifest.json").read_text()).get("manifests", [])
        digests = {each["digest"] for each in known}
        new = [described(each) for each in artifacts if each["digest"] not in digests]
        if not new:
            return ""
        after = Path(scratch, "after")
        write_index(after, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*known, *new]})
        index = ["--preserve-digests", "--multi-arch", "index-only"]
        return copy([*unsigned(options), *index], f"oci:{after}", tag)


def described(artifact: dict[str, Any]) -> dict[str, Any]:
    """Its descriptor, without the name that it has in the layout."""
    annotations = {key: value for key, value in artifact["annotations"].items() if key != NAME}
    return {**artifact, "annotations": annotations}


def for_source(options: list[str]) -> list[str]:
    """How the destination is reached, said of a source."""
    words, found = iter(options), []
    for word in words:
        if REACHING.match(word):
            found.append(word.replace("--dest-", "--src-", 1))
            if not ALONE.match(word):
                found.append(next(words, ""))
    return found


def unsigned(options: list[str]) -> list[str]:
    """Without what signs: the index changes with every artifact, each of which has its own signature."""
    words, found = iter(options), []
    for word in words:
        if word in ("--sign-by-sigstore-private-key", "--sign-passphrase-file"):
            next(words, "")
        else:
            found.append(word)
    return found


def write_index(layout: Path, index: dict[str, Any]) -> None:
    """An OCI image layout of one index."""
    content = json.dumps(index, separators=(",", ":")).encode()
    digest = hashlib.sha256(content).hexdigest()
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    (blobs / digest).write_bytes(content)
    descriptor = {"mediaType": INDEX, "digest": f"sha256:{digest}", "size": len(content)}
    (layout / "index.json").write_text(
        json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]})
    )
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
