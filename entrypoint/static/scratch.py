"""Scratch directories in the static directory: on its file system, so that files can be renamed into place."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".collecting"
STALE = 3600.0  # seconds after which nobody works in one any more


@contextlib.contextmanager
def scratch_in(root: Path) -> Iterator[Path]:
    """A new directory of our own, which nobody else removes; gone afterwards."""
    _remove_stale(root)
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-", dir=root))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove whatever is there; a link, and not what it leads to."""
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        shutil.rmtree(path)


def _remove_stale(root: Path) -> None:
    """What boots that were killed have left. What is another user's may have to stay, and is in nobody's way."""
    for name in os.listdir(root):
        if name.startswith(PREFIX):
            with contextlib.suppress(OSError):
                state = os.lstat(root / name)
                if not stat.S_ISREG(state.st_mode) and time.time() - state.st_mtime > STALE:
                    remove(root / name)
