"""From the scratch directory into the static directory, file by file, while others serve from it."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path


def publish(scratch: Path, root: Path, manifest: str) -> set[str]:
    """Move what differs into place; return the names of those files.

    New names go first and the manifest last, so that whoever reads finds all that it mentions.
    """
    new, replaced = [], []
    for directory, _, files in os.walk(scratch):
        _no_link(root, directory.removeprefix(f"{scratch}"))
        for file in files:
            name = f"{directory}/{file}".removeprefix(f"{scratch}/")
            if not os.path.lexists(f"{root}/{name}"):
                new.append(name)
            elif os.path.islink(f"{root}/{name}") or not filecmp.cmp(
                f"{scratch}/{name}", f"{root}/{name}", shallow=False
            ):  # it may lead out of the directory
                replaced.append(name)
    replaced.sort(key=lambda name: os.path.basename(name) == manifest)
    new.sort(key=lambda name: os.path.basename(name) == manifest)
    for folder in sorted({os.path.dirname(name) for name in new}):
        make_directory(root / folder)
    for name in new + replaced:
        os.chmod(f"{scratch}/{name}", 0o644)
        os.replace(f"{scratch}/{name}", f"{root}/{name}")
    return {*new, *replaced}


def make_directory(path: Path) -> None:
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)  # whatever the umask is


def write(path: Path, data: bytes, scratch: Path) -> None:
    """Replace the file whole, by way of the scratch directory."""
    temporary = scratch / path.name
    temporary.write_bytes(data)
    temporary.chmod(0o644)
    temporary.replace(path)


def _no_link(root: Path, folder: str) -> None:
    """A link in the place of a folder goes: what is published through it would be written somewhere else."""
    if folder and os.path.islink(f"{root}{folder}"):
        os.unlink(f"{root}{folder}")
