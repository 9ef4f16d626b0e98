"""A real registry on loopback, Debian's `docker-registry`, with its files and its access log to look at."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.lab import BenchError
from remains import ends_with_parent

PATIENCE = 60.0  # seconds for it to start

UPLOAD = re.compile(r'"PUT /v2/\S+/blobs/uploads/\S+[?&]digest=sha256%3A([0-9a-f]{64})\S* HTTP/[\d.]+" 201 ')
LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


class Registry:
    """It runs in a folder of its own. `host` is what stands in a destination."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = ""

    @contextlib.contextmanager
    def running(self, **settings: Any) -> Iterator[Registry]:
        """Run it; `settings` are sections of its configuration."""
        configuration = {
            "version": "0.1",
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "storage")}},
            **settings,
        }
        configuration["http"] = {"addr": "127.0.0.1:0", **settings.get("http", {})}
        self.folder.mkdir(exist_ok=True)
        file = self.folder / "config.yml"
        file.write_text(json.dumps(configuration))  # which is YAML, too
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                ["docker-registry", "serve", file],
                stdout=log,
                stderr=log,
                preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509  # no threads here
            )
        try:
            self.host = f"127.0.0.1:{self.port(process)}"
            yield self
        finally:
            process.terminate()
            process.wait()

    @property
    def log(self) -> Path:
        return self.folder / "registry.log"

    def port(self, process: subprocess.Popen[bytes]) -> int:
        """The port that it chose, once it listens."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            if found := LISTENING.search(self.log.read_text()):
                return int(found[1])
            time.sleep(0.05)
        raise BenchError(f"docker-registry did not start: {self.log.read_text().strip()}")

    def uploads(self) -> list[str]:
        """The digests of the blobs that were sent to it, in their order, as its access log has them."""
        return [f"sha256:{digest}" for digest in UPLOAD.findall(self.log.read_text())]

    def blobs(self) -> dict[str, bytes]:
        """What it stores, by digest: layers, configurations and manifests."""
        files = (self.folder / "storage/docker/registry/v2/blobs/sha256").glob("*/*/data")
        return {f"sha256:{file.parent.name}": file.read_bytes() for file in files}

    def tags(self, name: str) -> dict[str, str]:
        """The digests that it stores under a name, by tag."""
        folder = self.folder / "storage/docker/registry/v2/repositories" / name / "_manifests/tags"
        return {tag.name: (tag / "current/link").read_text() for tag in folder.iterdir()}

    def size(self, name: str, tag: str) -> int:
        """Bytes of the layers of an image that it stores."""
        digest = self.tags(name)[tag].removeprefix("sha256:")
        blob = self.folder / "storage/docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"
        return sum(layer["size"] for layer in json.loads(blob.read_text())["layers"])
