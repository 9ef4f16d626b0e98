"""A lock on the static directory, which replicas share."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from .. import log
from ..errors import BootError, ExitCode
from .scratch import remove

LOCK = ".collecting.lock"
LOCK_LIMIT = 120.0  # seconds to wait for other replicas that collect into the same directory
POLL = 0.05  # seconds


@contextlib.contextmanager
def locked(directory: Path, mode: int) -> Iterator[None]:
    """Hold a lock (fcntl.LOCK_EX to write, LOCK_SH to read) on the static directory against other replicas.

    Raises BootError (COLLECTSTATIC) if they keep it too long. Where there are no locks it goes on without one: nobody
    misses a file then, but two releases that start at once may replace each other's.
    """
    try:
        descriptor = _open(directory / LOCK, mode)
    except OSError as error:
        if mode == fcntl.LOCK_EX:  # who only reads finds none where nobody has ever written
            _go_without(directory, error)
        yield
        return
    try:
        _wait(descriptor, mode, directory)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path, mode: int) -> int:
    """Opened for writing by who writes, for NFS gives no other an exclusive lock; made, if that is possible."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if mode == fcntl.LOCK_SH:
        return os.open(path, os.O_RDONLY | flags)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR):
            return os.open(path, os.O_RDONLY | flags)  # another user's
        remove(path)  # a link or a directory of that name
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o644)


def _wait(descriptor: int, mode: int, directory: Path) -> None:
    deadline = time.monotonic() + LOCK_LIMIT
    told = False
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            return
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
        except OSError as error:
            _go_without(directory, error)
            return


def _go_without(directory: Path, error: OSError) -> None:
    log.info(f"No lock can be had on {directory} ({error.strerror}); going on without one.")
