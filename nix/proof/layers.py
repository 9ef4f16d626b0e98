"""The layers of an image, unpacked, whatever they are packed with."""

from __future__ import annotations

import contextlib
import lzma
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from images import Image, in_dir
from outcome import Outcome, Stop
from skopeo import Skopeo

# What tarfile, and what decompresses for it, raise when they read what may come from anybody.
BROKEN = (
    tarfile.TarError,
    EOFError,
    LookupError,
    OverflowError,
    RecursionError,
    ValueError,
    lzma.LZMAError,
    zlib.error,
)


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


@contextlib.contextmanager
def opened(layer: Path) -> Iterator[tarfile.TarFile]:
    """An unpacked layer. Raises Stop, also for what shows only while it is read."""
    try:
        with tarfile.open(layer) as archive:
            yield archive
    except BROKEN as error:
        raise Stop(Outcome.NO_IMAGE, f"sha256:{layer.name} is no layer of an image: {error}") from None


def name_of(member: tarfile.TarInfo) -> str:
    """Its place below the root, such as "nix/store/...": tar means the same by "/nix/store/..." and "./nix/store/..."."""
    return posixpath.normpath("/" + member.name).lstrip("/")
