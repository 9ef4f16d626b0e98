"""The layout, the image that it is made from, and the program that pushes it."""

from __future__ import annotations

import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


def given(variable: str) -> Path:
    """A path from the environment; `nix flake check` sets it, and so can a person."""
    if not os.environ.get(variable):
        pytest.skip(f"set {variable}; `nix flake check` does (nix/development/checks.nix)")
    return Path(os.environ[variable])


@dataclass(frozen=True)
class Layout:
    """An OCI image layout with one image in it."""

    path: Path

    def blob(self, digest: str) -> bytes:
        return (self.path / "blobs" / digest.replace(":", "/")).read_bytes()

    @property
    def descriptor(self) -> dict[str, Any]:
        """What the index says of the image."""
        (descriptor,) = json.loads((self.path / "index.json").read_text())["manifests"]
        return descriptor

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.blob(self.descriptor["digest"]))


@pytest.fixture(scope="session")
def layout() -> Layout:
    return Layout(given("OCI"))


@pytest.fixture(scope="session")
def config() -> bytes:
    """The configuration in the archive for `docker load`."""
    with tarfile.open(given("IMAGE")) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        return archive.extractfile(manifest["Config"]).read()


@pytest.fixture(scope="session")
def push() -> Path:
    return given("PUSH")
