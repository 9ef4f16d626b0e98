"""A lock on the static directory, which replicas share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from .. import log
from ..errors import BootError, ExitCode

LOCK_LIMIT = 120.0  # seconds to wait for other replicas that collect into the same directory
POLL = 0.05  # seconds


@contextlib.contextmanager
def locked(directory: Path, mode: int) -> Iterator[None]:
    """Hold a lock (fcntl.LOCK_EX to write, LOCK_SH to read) on the static directory against other replicas.

    Raises BootError (COLLECTSTATIC) if they keep it too long. A file system without locks goes unlocked.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + LOCK_LIMIT
        told = False
        while True:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BootError(
                        ExitCode.COLLECTSTATIC,
                        f"Another process has been working in {directory} for more than {LOCK_LIMIT:.0f} s:"
                        " see what other replicas do there.",
                    ) from None
                if not told:
                    log.info(f"Another process is working in {directory}; waiting for it.")
                    told = True
                time.sleep(POLL)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)
