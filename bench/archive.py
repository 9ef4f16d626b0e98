"""An image as a file: what `docker load` would read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import posixpath
import tarfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO


@dataclass
class Layer:
    """One layer: its digest, its archive's size, and the bytes of the files in it by top path (a store path or /)."""

    digest: str
    size: int
    files: dict[str, int] = field(default_factory=dict)


class Archive:
    """A `docker save` archive, compressed or not; Docker Image Specification v1.2."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def layers(self) -> list[Layer]:
        """Lowest first."""
        manifest, layers = [], {}
        opener = gzip.open if self.path.suffix == ".gz" else open
        with opener(self.path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is None:
                    continue
                if member.name == "manifest.json":
                    manifest = json.load(content)
                elif member.name.endswith("/layer.tar"):
                    layers[member.name] = read_layer(content, member.size)
        return [layers[name] for name in manifest[0]["Layers"]]

    @property
    def unpacked(self) -> int:
        """Bytes of all files, which is what `docker images` shows."""
        return sum(sum(layer.files.values()) for layer in self.layers)


def read_layer(content: IO[bytes], size: int) -> Layer:
    """A layer of the archive, `size` bytes."""
    data = content.read()
    layer = Layer(hashlib.sha256(data).hexdigest(), size)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.isfile():
                parts = path_of(member).split("/")
                top = "/".join(parts[:3]) if parts[:2] == ["nix", "store"] else "/"
                layer.files[top] = layer.files.get(top, 0) + member.size
    return layer


def path_of(member: tarfile.TarInfo) -> str:
    """The entry's path from the top. Writers of archives begin names with nothing, `./` or `/`, which mean the same."""
    return posixpath.normpath("/" + member.name).lstrip("/")
