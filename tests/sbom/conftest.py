"""An image as a scanner sees it: layers with files in them, and the bill of materials that was made with it."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from bench.archive import path_of


@dataclass
class Image:
    """A `docker save` archive. `layers` are the contents of the regular files of each, by path without leading slash;
    `paths` is everything in any layer."""

    archive: Path
    config: dict[str, Any]
    layers: list[dict[str, bytes]]
    paths: set[str]

    @cached_property
    def files(self) -> dict[str, bytes]:
        return {path: content for layer in self.layers for path, content in layer.items()}

    @cached_property
    def store_paths(self) -> set[str]:
        return {"/" + "/".join(path.split("/")[:3]) for path in self.paths if path.count("/") > 1} & {
            f"/{path}" for path in self.paths if path.startswith("nix/store/")
        }


def given(variable: str) -> Path:
    """A path from the environment; `nix flake check` sets it, and so can a person."""
    if not os.environ.get(variable):
        pytest.skip(f"set {variable}; `nix flake check` does (nix/development/checks.nix)")
    return Path(os.environ[variable])


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    archive = tmp_path_factory.mktemp("image") / "image.tar"
    with gzip.open(given("IMAGE")) as packed, archive.open("wb") as file:
        shutil.copyfileobj(packed, file)
    layers: list[dict[str, bytes]] = []
    paths: set[str] = set()
    with tarfile.open(archive) as whole:
        manifest = json.load(whole.extractfile("manifest.json"))[0]
        config = json.load(whole.extractfile(manifest["Config"]))
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(whole.extractfile(name).read())) as layer:
                entries = layer.getmembers()
                paths |= {path_of(entry) for entry in entries}
                layers.append(
                    {path_of(entry): layer.extractfile(entry).read() for entry in entries if entry.isreg()}
                )
    return Image(archive, config, layers, paths)


@pytest.fixture(scope="session")
def text() -> str:
    """The bill of materials as `.#sbom` gives it."""
    return given("SBOM").read_text()


@pytest.fixture(scope="session")
def sbom(text: str) -> dict[str, Any]:
    return json.loads(text)


@pytest.fixture(scope="session")
def components(sbom: dict[str, Any]) -> list[dict[str, Any]]:
    return sbom["components"]
