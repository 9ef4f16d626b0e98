"""The layers of an image, unpacked, whatever they are packed with."""

from __future__ import annotations

import os
import posixpath
import tarfile
from pathlib import Path

from images import Image, in_dir
from skopeo import Skopeo


def unpacked(skopeo: Skopeo, image: Image, folder: Path, what: str) -> list[Path]:
    """The layers' files, from the lowest, each named by the SHA-256 of what is in it.

    Args:
        folder: an empty one, for them.
        what: what people call the image.

    Raises:
        Stop: a layer cannot be unpacked, or is not what its digest says.
    """
    packed, plain = folder / "packed", folder / "plain"
    packed.mkdir(parents=True)
    (packed / "manifest.json").write_bytes(image.content)
    for digest in {image.config_digest, *(str(layer["digest"]) for layer in image.layers)}:
        os.symlink(image.folder.file(digest).absolute(), packed / digest.removeprefix("sha256:"))
    skopeo.fetch(f"dir:{packed}", plain, what, "--dest-decompress")
    copied = in_dir(plain)
    return [copied.images[0].folder.file(str(layer["digest"])) for layer in copied.images[0].layers]


def name_of(member: tarfile.TarInfo) -> str:
    """Its place below the root, such as "nix/store/...": tar means the same by "/nix/store/..." and "./nix/store/..."."""
    return posixpath.normpath("/" + member.name).lstrip("/")
