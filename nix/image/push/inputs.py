"""`push --with-inputs`: all that an image is built from, as an artifact beside it, so that the registry is enough to build it.

Each file that Nix fetches by its hash is a blob under that very hash: a file as it is, a folder as a NAR. The provenance names
the same hashes. The source is a bundle of git's.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from derivation import Fixed, graph
from media_types import BUNDLE, FILE, INDEX, INPUTS, MANIFEST, NAR, PROVENANCE
from referrers import add, encode

NAME = 33  # characters of a store path's name before what it is called
CHUNK = 1 << 20


def with_inputs(referrers: Path, out: Path) -> None:
    """Write an OCI image layout of the artifact, for the image that a layout of ../referrers is about.

    Raises:
        ValueError: something of it is not on this machine.
    """
    subject, statement = provenance(referrers)
    definition = statement["predicate"]["buildDefinition"]
    blobs = out / "blobs/sha256"
    blobs.mkdir(parents=True)
    layers = [bundle(str(definition["externalParameters"]["revision"]), blobs)]
    fixed = {each.fixed for each in graph(Path(definition["internalParameters"]["derivation"])) if each.fixed}
    layers += [blob(each, blobs) for each in sorted(fixed, key=lambda each: each.path)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": INPUTS,
        "config": add(blobs, "application/vnd.oci.empty.v1+json", b"{}"),
        "layers": layers,
        "subject": subject,
    }
    annotations = {"org.opencontainers.image.ref.name": "inputs"}
    artifact = {**add(blobs, MANIFEST, encode(manifest)), "artifactType": INPUTS, "annotations": annotations}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [artifact]}
    (out / "index.json").write_bytes(encode(index))
    (out / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def provenance(referrers: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The descriptor of the image, and the statement about it."""
    for artifact in json.loads((referrers / "index.json").read_text())["manifests"]:
        if artifact["artifactType"] == PROVENANCE:
            manifest = document(referrers, artifact["digest"])
            return manifest["subject"], document(referrers, manifest["layers"][0]["digest"])
    raise ValueError("there is no provenance to say what the inputs are")


def document(layout: Path, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return found


def bundle(revision: str, blobs: Path) -> dict[str, Any]:
    """The commit, with all that came before it, from the repository of the current folder."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    if head != revision:
        raise ValueError(
            f"the source of revision {revision} is not what is checked out here ({head or 'no git repository'}): commit,"
            " or check that out, and push from there"
        )
    file = blobs / "bundle"
    done = subprocess.run(
        ["git", "-c", "pack.threads=1", "bundle", "create", "--quiet", file, "HEAD"],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ValueError(f"git cannot bundle the source: {' '.join(done.stderr.split())}")
    return moved(file, blobs, BUNDLE, f"{revision}.bundle")


def blob(fixed: Fixed, blobs: Path) -> dict[str, Any]:
    """A store path, which must be there."""
    path = Path(fixed.path)
    name = path.name[NAME:]
    if not path.exists():
        raise ValueError(f"the input {name} is not in the Nix store of this machine")
    if fixed.is_archive:
        file = blobs / "nar"
        with file.open("wb") as target:
            subprocess.run(["nix-store", "--dump", path], stdout=target, check=True)
        return moved(file, blobs, NAR, name)
    digest = digest_of(path)
    if not (blobs / digest).exists():
        (blobs / digest).symlink_to(path)
    return described(FILE, digest, path.stat().st_size, name)


def moved(file: Path, blobs: Path, kind: str, name: str) -> dict[str, Any]:
    digest = digest_of(file)
    return described(kind, digest, file.rename(blobs / digest).stat().st_size, name)


def described(kind: str, digest: str, size: int, name: str) -> dict[str, Any]:
    title = {"org.opencontainers.image.title": name}
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size, "annotations": title}


def digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
