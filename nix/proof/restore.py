"""What `push --with-inputs` has put beside an image, brought into the Nix store."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from attached import listing
from descriptors import are_descriptors
from images import parsed
from media_types import BUNDLE, FILE, INPUTS, NAR
from outcome import Outcome, Stop, refuse_full_disk
from reference import Reference
from skopeo import Skopeo

TITLE = "org.opencontainers.image.title"
# Of a store path's name (Nix's manual, "Store path").
NAME = re.compile(r"[0-9A-Za-z+_?=-][0-9A-Za-z+_?=.-]{0,200}")


def fetch_inputs(
    skopeo: Skopeo, reference: Reference, digest: str, folder: Path, options: list[str], policy: Path | None
) -> Path:
    """Add an image's inputs to the Nix store; the bundle of its source.

    Nix names what it adds by its content, so that nothing can take the place of something else.

    Args:
        digest: of the image.
        folder: a new one, to work in.

    Raises:
        Stop: there are none, or they cannot be added.
    """
    folder.mkdir()
    found = [
        each
        for each in listing(skopeo, reference, digest, folder / "list")
        if each.get("artifactType") == INPUTS
    ]
    if not found:
        raise Stop(
            Outcome.BESIDE,
            f"the registry has no inputs of {reference.at(digest)}: `push --with-inputs` puts them there.",
        )
    artifact = folder / "artifact"
    copy = ("--preserve-digests", *options)
    skopeo.fetch(
        f"docker://{reference.at(found[-1]['digest'])}",
        artifact,
        "the artifact of its inputs",
        *copy,
        policy=policy,
    )
    layers = parsed((artifact / "manifest.json").read_bytes()).get("layers")
    bundles = []
    for layer in layers if isinstance(layers, list) and are_descriptors(layers) else []:
        blob = artifact / str(layer["digest"]).removeprefix("sha256:")
        if layer.get("mediaType") == BUNDLE:
            bundles.append(blob)
        else:
            add(layer, blob, folder)
    if not bundles:
        raise Stop(Outcome.BESIDE, f"the inputs of {reference.at(digest)} have no source.")
    return bundles[0]


def add(layer: dict[str, Any], blob: Path, folder: Path) -> None:
    """Add one to the store."""
    name = str((layer.get("annotations") or {}).get(TITLE))
    if not NAME.fullmatch(name) or layer.get("mediaType") not in (FILE, NAR):
        raise Stop(Outcome.BESIDE, f"the inputs have one that is none of Nix's: {name[:100]!r}.")
    path = folder / name
    if layer["mediaType"] == NAR:
        with blob.open("rb") as content:
            nix_store("--restore", str(path), stdin=content)
        nix_store("--add-fixed", "--recursive", "sha256", str(path))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    else:
        shutil.copy(blob, path)
        nix_store("--add-fixed", "sha256", str(path))
        path.unlink()


def nix_store(*arguments: str, stdin: Any = subprocess.DEVNULL) -> None:
    """Call Nix. Raises Stop if it refuses."""
    done = subprocess.run(
        ["nix-store", *arguments], stdin=stdin, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        refuse_full_disk(done.stderr)
        raise Stop(Outcome.NOT_BUILT, f"Nix does not take an input: {done.stderr}")
