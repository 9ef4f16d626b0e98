"""The SHA-256 of a store path as Nix archives it (NAR): E. Dolstra, "The Purely Functional Software Deployment Model", 5.2.1."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20


def nar_sha256(path: Path) -> str:
    """In hex."""
    digest = hashlib.sha256(text("nix-archive-1"))
    for part in archived(path):
        digest.update(part)
    return digest.hexdigest()


def archived(path: Path) -> Iterator[bytes]:
    """The archive of a file, folder or link, piece by piece, without the mark at its begin."""
    yield text("(") + text("type")
    if path.is_symlink():
        yield text("symlink") + text("target") + text(os.readlink(path))
    elif path.is_dir():
        yield text("directory")
        for child in sorted(path.iterdir(), key=lambda each: os.fsencode(each.name)):
            yield text("entry") + text("(") + text("name") + text(child.name) + text("node")
            yield from archived(child)
            yield text(")")
    else:
        status = path.stat()
        yield text("regular")
        if status.st_mode & 0o100:
            yield text("executable") + text("")
        yield text("contents") + status.st_size.to_bytes(8, "little")
        with path.open("rb") as content:
            while chunk := content.read(CHUNK):
                yield chunk
        yield padding(status.st_size)
    yield text(")")


def text(string: str) -> bytes:
    """A string as the archive has it: length, content, padding."""
    content = os.fsencode(string)
    return len(content).to_bytes(8, "little") + content + padding(len(content))


def padding(length: int) -> bytes:
    """Whatever is archived ends at a multiple of eight bytes."""
    return bytes(-length % 8)
