"""The image's size, and that of a conventional image with the same content."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zlib
from pathlib import Path

from bench.archive import Archive
from bench.conventional import RELEASE, make_root, make_wheels
from bench.lab import BenchError
from bench.report import Row


def rows(image: Archive, conventional: bool) -> list[Row]:
    """Both images, unpacked and compressed; the other one is made only if `conventional`."""
    what = f"debootstrap {RELEASE} + python3, psycopg2, postgresql-client, wheels"
    unpacked = Row("unpacked", "image, unpacked", what, "95 MB", "B", [float(image.unpacked)])
    packed = Row("packed", "image, gzip", what, "34 MB", "B", [float(image.path.stat().st_size)])
    try:
        if not conventional:
            raise BenchError("skipped (--quick)")
        with tempfile.TemporaryDirectory() as name:
            size, compressed = measure(make_root(Path(name)), make_wheels(Path(name)))
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


def shared(image: Archive, other: Archive) -> str:
    """What a node that has the image need not pull of another: a sentence, in bytes of files."""
    layers, there = {layer.digest for layer in image.layers}, paths(image)
    by_layer = sum(sum(layer.files.values()) for layer in other.layers if layer.digest in layers)
    by_path = sum(count for path, count in paths(other).items() if path in there and path != "/")
    return (
        f"{by_layer / 1e6:.1f} of {other.unpacked / 1e6:.1f} MB are in layers of this image;"
        f" if each store path were a layer, {by_path / 1e6:.1f} MB would be."
    )


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
