"""Small images, and sources that build them: a git repository whose own nixw has only to say where the result lies."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEDIA_TYPE = "application/vnd.oci.image"
REVISION = "org.opencontainers.image.revision"

# It takes `build .#ATTRIBUTE --out-link LINK`, as verify calls it.
NIXW = """#!/bin/sh
built="$LAYOUTS/$(git rev-parse HEAD)"
case $2 in *.referrers)
  built=$built-referrers
  [ -e "$built" ] || { echo "error: flake does not provide attribute $2" >&2; exit 1; }
  ;;
esac
[ -e "$built" ] || { echo "error: nothing is built of it" >&2; exit 1; }
ln -s "$built" "$4"
"""


@dataclass
class Layout:
    """An OCI image layout, to which blobs are added."""

    path: Path
    architecture: str = "amd64"
    labels: dict[str, str] = field(default_factory=dict)

    def blob(self, content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs = self.path / "blobs/sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"{MEDIA_TYPE}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def image(self, *layers: dict[str, bytes] | bytes, level: int = 6) -> dict[str, Any]:
        """Add an image of these layers, each {name: content} or the bytes of an archive; its descriptor."""
        plain = [each if isinstance(each, bytes) else packed(each) for each in layers]
        config = {
            "architecture": self.architecture,
            "os": "linux",
            "config": {"Labels": self.labels},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in plain],
            },
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA_TYPE}.manifest.v1+json",
            "config": self.blob(json.dumps(config).encode(), "config.v1+json"),
            "layers": [self.blob(gzip.compress(each, level, mtime=0), "layer.v1.tar+gzip") for each in plain],
        }
        descriptor = self.blob(json.dumps(manifest).encode(), "manifest.v1+json")
        return descriptor | {"platform": {"architecture": self.architecture, "os": "linux"}}

    def index(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        """Add an index of images; its descriptor."""
        content = {"schemaVersion": 2, "mediaType": f"{MEDIA_TYPE}.index.v1+json", "manifests": manifests}
        return self.blob(json.dumps(content).encode(), "index.v1+json")

    def holds(self, descriptor: dict[str, Any]) -> str:
        """Say that this is what the layout holds; its digest."""
        index = {"schemaVersion": 2, "mediaType": f"{MEDIA_TYPE}.index.v1+json", "manifests": [descriptor]}
        (self.path / "index.json").write_text(json.dumps(index))
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        return str(descriptor["digest"])


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Source:
    """A git repository with one commit, and what that builds."""

    def __init__(self, folder: Path, demand: str = "") -> None:
        """`demand` is what its nixw does first."""
        self.tree, self.layouts = folder / "tree", folder / "layouts"
        self.tree.mkdir(parents=True)
        self.layouts.mkdir()
        (self.tree / "flake.nix").write_text("{ }\n")
        (self.tree / "nixw").write_text(NIXW.replace("built=", f"{demand}built=", 1))
        (self.tree / "nixw").chmod(0o755)
        commit(self.tree)

    @property
    def revision(self) -> str:
        return git(self.tree, "rev-parse", "HEAD").strip()

    def builds(self) -> Layout:
        """Where the result of its commit belongs."""
        return Layout(self.layouts / self.revision, labels={REVISION: self.revision})


def commit(tree: Path) -> None:
    """Make a repository of a folder, with all of it in one commit."""
    git(tree, "init", "--quiet")
    git(tree, "add", "--all", "--force")
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    git(tree, *identity, "commit", "--quiet", "--no-gpg-sign", "--message", "The source of an image")


def git(tree: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", tree, *arguments], check=True, capture_output=True, text=True).stdout
