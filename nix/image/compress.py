"""Compress the static files of an environment's packages as WhiteNoise does it when they are collected.

usage: compress.py OUT SITE_PACKAGES, the folder of the environment's modules. Each variant is named by the SHA-256 of what is
compressed; where a boot finds it (entrypoint/static/compressed.py), it need not compress. Without WhiteNoise there is none.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def main() -> None:
    out, site = Path(sys.argv[1]), sys.argv[2]
    out.mkdir()
    sys.path.insert(0, site)
    try:
        from whitenoise.compress import Compressor
    except ImportError:
        return
    compressor = Compressor(quiet=True)
    methods = {".gz": compressor.compress_gzip}
    if compressor.use_brotli:
        methods[".br"] = compressor.compress_brotli
    for file in static_files(site):
        if compressor.should_compress(file.name):
            content = file.read_bytes()
            for suffix, compress in methods.items():
                variant = out / f"{hashlib.sha256(content).hexdigest()}{suffix}"
                if not variant.exists():
                    variant.write_bytes(compress(content))


def static_files(site: str) -> Iterator[Path]:
    """What Django's finder for apps looks at in packages: all in their folders `static`."""
    # An environment is made of links.
    for folder, _, files in os.walk(site, followlinks=True):
        if "static" in Path(folder).relative_to(site).parts:
            yield from (Path(folder, name) for name in files)


main()
