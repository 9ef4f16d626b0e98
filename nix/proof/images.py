"""An image as it lies in a folder: skopeo's layout `dir`, or an OCI image layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from descriptors import are_descriptors
from outcome import Outcome, Stop


@dataclass(frozen=True)
class Folder:
    """Manifests, configurations and layers by their digests."""

    path: Path

    def file(self, digest: str) -> Path:
        """Where the bytes of that digest are; in `dir`, manifests other than the first have a suffix."""
        number = digest.removeprefix("sha256:")
        layout = self.path / "blobs/sha256" / number
        instance = self.path / f"{number}.manifest.json"
        return next((file for file in (layout, instance) if file.exists()), self.path / number)

    def document(self, digest: str) -> bytes:
        """The bytes of a manifest or a configuration. Raises Stop if they are others than the digest's."""
        content = self.file(digest).read_bytes()
        if digest_of(content) != digest:
            raise Stop(Outcome.DIFFERS, f"what is stored as {digest} is something else.")
        return content


@dataclass(frozen=True)
class Image:
    """An image for one platform. `content` is its manifest, byte for byte."""

    folder: Folder
    content: bytes

    @cached_property
    def digest(self) -> str:
        return digest_of(self.content)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return parsed(self.content)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Raises Stop if it is none."""
        config = parsed(self.folder.document(self.config_digest))
        rootfs = config.get("rootfs")
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        texts = [
            config.get("os"),
            config.get("architecture"),
            *(diff_ids if isinstance(diff_ids, list) else [None]),
        ]
        settings = config.get("config") or {}
        labels = settings.get("Labels") or {} if isinstance(settings, dict) else None
        if not all(isinstance(text, str) for text in texts) or not isinstance(labels, dict):
            raise Stop(Outcome.NO_IMAGE, f"{self.config_digest} is no configuration of an image.")
        return config

    @property
    def config_digest(self) -> str:
        return str(self.manifest["config"]["digest"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Descriptors, from the lowest."""
        return list(self.manifest["layers"])

    @property
    def diff_ids(self) -> list[str]:
        """What the configuration says of the layers, unpacked."""
        return list(self.config["rootfs"]["diff_ids"])

    @property
    def platform(self) -> str:
        """As in linux/amd64."""
        return f"{self.config['os']}/{self.config['architecture']}"

    @property
    def labels(self) -> dict[str, str]:
        """By name; none if the configuration has none."""
        labels = (self.config.get("config") or {}).get("Labels") or {}
        return {name: str(value) for name, value in labels.items()}


@dataclass(frozen=True)
class Named:
    """What a reference names: one image, or an index of several, one for each platform."""

    digest: str
    images: list[Image]


def in_dir(path: Path) -> Named:
    """What skopeo has copied into its layout `dir`. Raises Stop if that is no image."""
    return named(Folder(path), (path / "manifest.json").read_bytes())


def in_layout(path: Path) -> Named:
    """What an OCI image layout holds. Raises Stop if it is none."""
    manifests = parsed((path / "index.json").read_bytes()).get("manifests")
    if not isinstance(manifests, list) or not are_descriptors(manifests):
        raise Stop(Outcome.NO_IMAGE, f"{path} is no OCI image layout: its index.json lists no manifests.")
    folder = Folder(path)
    if len(manifests) == 1:
        return named(folder, folder.document(manifests[0]["digest"]))
    return Named("", [image for each in manifests for image in below(folder, each)])


def named(folder: Folder, content: bytes) -> Named:
    """What a manifest or an index leads to. Raises Stop if it is neither."""
    manifest = parsed(content)
    if are_descriptors(manifest.get("manifests")):
        return Named(digest_of(content), [i for each in manifest["manifests"] for i in below(folder, each)])
    if not are_descriptors([manifest.get("config")]) or not are_descriptors(manifest.get("layers")):
        raise Stop(
            Outcome.NO_IMAGE, f"{digest_of(content)} is no image: it has no configuration, or no layers."
        )
    return Named(digest_of(content), [Image(folder, content)])


def below(folder: Folder, descriptor: dict[str, Any]) -> Iterator[Image]:
    """The images that an index's entry leads to. What is for no platform is no image: attestations of BuildKit's."""
    if descriptor.get("platform", {}).get("os") != "unknown":
        yield from named(folder, folder.document(descriptor["digest"])).images


def parsed(content: bytes) -> dict[str, Any]:
    """JSON of an object. Raises Stop if it is something else: it may come from anybody."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Stop(Outcome.NO_IMAGE, f"{digest_of(content)} is no manifest or configuration of an image.")
    return document


def digest_of(content: bytes) -> str:
    """As registries name content: sha256:..."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
