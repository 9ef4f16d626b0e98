"""The image as a file, read without a container engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.archive import path_of


@dataclass
class Image:
    """A `docker save` archive: its configuration, its layers' archives and digests, and the tree they make."""

    config: dict[str, Any]
    manifest: dict[str, Any]
    layers: list[list[tarfile.TarInfo]]
    digests: list[str]
    contents: dict[str, bytes]

    @property
    def tree(self) -> dict[str, tarfile.TarInfo]:
        """Entries by path, later layers over earlier ones."""
        return {path_of(entry): entry for layer in self.layers for entry in layer}

    @property
    def below(self) -> list[list[tarfile.TarInfo]]:
        """The layers that are made of store paths."""
        return [layer for layer in self.layers if holds_store_paths(layer)]

    @property
    def top(self) -> list[list[tarfile.TarInfo]]:
        """The layers with everything else."""
        return [layer for layer in self.layers if not holds_store_paths(layer)]

    @property
    def environment(self) -> dict[str, str]:
        return dict(variable.split("=", 1) for variable in self.config["config"]["Env"])


def read_image(path: Path) -> Image:
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(manifest["Config"]))
        layers, digests, contents = [], [], {}
        for name in manifest["Layers"]:
            data = archive.extractfile(name).read()
            digests.append("sha256:" + hashlib.sha256(data).hexdigest())
            with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                entries = layer.getmembers()
                layers.append(entries)
                if not holds_store_paths(entries):
                    contents |= {
                        path_of(entry): layer.extractfile(entry).read() for entry in entries if entry.isfile()
                    }
    return Image(config, manifest, layers, digests, contents)


def holds_store_paths(layer: list[tarfile.TarInfo]) -> bool:
    return any(path_of(entry).startswith("nix/store/") for entry in layer)


def given(variable: str) -> Path:
    """A path from the environment; `nix flake check` sets it, and so can a person."""
    if not os.environ.get(variable):
        pytest.skip(f"set {variable}; `nix flake check` does (nix/development/checks.nix)")
    return Path(os.environ[variable])


@pytest.fixture(scope="session")
def image() -> Image:
    return read_image(given("IMAGE"))


@pytest.fixture(scope="session")
def untidy() -> Path:
    """What the image would hold of a project with everything in it that a working tree collects."""
    return given("UNTIDY")
