"""The image's size, and that of a conventional image with the same content, made here and now."""

from __future__ import annotations

import importlib.metadata
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path

from bench.archive import Archive
from bench.lab import BenchError
from bench.report import Row

RELEASE = "trixie"
# What a Dockerfile on Debian would install with apt; the other packages come as wheels.
DEBIAN = ("python3", "python3-psycopg2", "postgresql-client")
FROM_DEBIAN = ("psycopg2",)


def rows(image: Archive, conventional: bool) -> list[Row]:
    what = f"debootstrap {RELEASE} + python3, psycopg2, postgresql-client, wheels"
    unpacked = Row("unpacked", "image, unpacked", what, "95 MB", "B", [float(image.unpacked)])
    packed = Row("packed", "image, gzip", what, "34 MB", "B", [float(image.path.stat().st_size)])
    try:
        if not conventional:
            raise BenchError("skipped (--quick)")
        size, compressed = conventional_image()
        unpacked.theirs, packed.theirs = [float(size)], [float(compressed)]
    except BenchError as error:
        unpacked.not_measured = packed.not_measured = str(error)
    return [unpacked, packed]


def paths(image: Archive) -> dict[str, int]:
    """Bytes by store path (and / for what lies beside the store), largest first."""
    sizes: dict[str, int] = {}
    for layer in image.layers:
        for path, count in layer.files.items():
            sizes[path] = sizes.get(path, 0) + count
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def conventional_image() -> tuple[int, int]:
    """Bytes unpacked and compressed. Raises BenchError if the machine cannot make one."""
    if not shutil.which("mmdebstrap"):
        raise BenchError("no mmdebstrap on PATH (apt-get install mmdebstrap)")
    if os.geteuid() != 0:
        raise BenchError("only root can make a root file system")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "root.tar"
        run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(DEBIAN)}",
                RELEASE,
                str(root),
            ]
        )
        run(
            ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--root-user-action=ignore"]
            + ["--target", str(folder / "wheels"), *wheels()]
        )
        return measure(root, folder / "wheels")


def wheels() -> list[str]:
    """The environment's other packages, in its versions."""
    found = {each.name: each.version for each in importlib.metadata.distributions()}
    return [f"{name}=={version}" for name, version in sorted(found.items()) if name not in FROM_DEBIAN]


def measure(root: Path, more: Path) -> tuple[int, int]:
    """Bytes of the files in an archive and in a folder, and of all of it as a gzip-compressed archive."""
    compressor, size, compressed = zlib.compressobj(6, zlib.DEFLATED, 31), 0, 0
    with tarfile.open(root) as archive:
        size += sum(member.size for member in archive if member.isfile())
    with root.open("rb") as file:
        while data := file.read(1 << 20):
            compressed += len(compressor.compress(data))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(more, "usr/local/lib/python3/dist-packages")
        size += sum(member.size for member in archive.getmembers() if member.isfile())
    return size, compressed + len(compressor.compress(buffer.getvalue()) + compressor.flush())


def run(command: list[str], **options: object) -> None:
    result = subprocess.run(command, capture_output=True, text=True, env=machine_environment(), **options)  # type: ignore[call-overload]
    if result.returncode != 0:
        reason = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise BenchError(f"{command[0]} failed: {''.join(reason)}")


def machine_environment() -> dict[str, str]:
    """The environment without what points Python at the image's modules."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
