"""Compressed variants of static files: made once for each content, and those of packages when the image is built."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .links import linked

# Where the image's build (nix/image/compress.py) has put them, each named by the SHA-256 of what is compressed.
FOLDER = Path(__file__).resolve().parents[2] / "compressed"
SUFFIXES = {"compress_gzip": ".gz", "compress_brotli": ".br"}


def compress_once(storage: Any) -> None:
    """Let WhiteNoise compress nothing that the build has compressed, and else only once what is the same twice.

    The same twice are a file and its copy with a hash in its name. Compression is a good part of the time that a first
    boot takes. `create_compressor` is the hook that WhiteNoise's storages have for compressors of one's own; a storage
    without it is left alone, and what the build has made is not for a compressor that does it in its own way.
    """
    if not hasattr(storage, "create_compressor"):
        return
    create = storage.create_compressor

    def create_with_memory(**options: Any) -> Any:
        compressor = create(**options)
        for method, suffix in SUFFIXES.items():
            compress = getattr(compressor, method, None)
            if compress:
                if compress.__module__ == "whitenoise.compress":
                    compress = _or_look_up(compress, suffix)
                setattr(compressor, method, functools.cache(compress))
        write = getattr(compressor, "write_data", None)
        if write and write.__module__ == "whitenoise.compress":
            compressor.write_data = linked(write)
        return compressor

    storage.create_compressor = create_with_memory


def _or_look_up(compress: Callable[[bytes], bytes], suffix: str) -> Callable[[bytes], bytes]:
    def look_up(content: bytes) -> bytes:
        with contextlib.suppress(OSError):
            return (FOLDER / f"{hashlib.sha256(content).hexdigest()}{suffix}").read_bytes()
        return compress(content)

    return look_up
