"""Where a worker's temporary files are, so that they do not outlive it: uploads of one that was killed would stay for ever."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Container

_PREFIX = "workers-"


class Temporary:
    """A folder for each worker, all in one of the server's. Where there is no place for it, workers use what they find."""

    def __init__(self) -> None:
        self._folder = ""
        self._of: dict[int, str] = {}  # by process
        self._next = 0
        with contextlib.suppress(OSError):
            _remove_abandoned()
            self._folder = tempfile.mkdtemp(prefix=_PREFIX)
            # Whoever can take this lock knows that master and workers are gone.
            fcntl.flock(os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH)

    def make(self) -> str:
        """A folder for the next worker, or ""."""
        path = os.path.join(self._folder, str(self._next))
        self._next += 1
        with contextlib.suppress(OSError):
            if self._folder:
                os.mkdir(path, 0o700)
                return path
        return ""

    def assign(self, path: str, process: int) -> None:
        """The folder is this process's."""
        self._of[process] = path

    def keep(self, processes: Container[int]) -> None:
        """Remove the folders of all but these processes."""
        for process in [each for each in self._of if each not in processes]:
            path = self._of.pop(process)
            if path:
                shutil.rmtree(path, ignore_errors=True)

    def end(self) -> None:
        """Remove all of it."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def use(path: str) -> None:
    """Have this process make its temporary files there; with "", where they are made anyway."""
    if path:
        tempfile.tempdir = path


def _remove_abandoned() -> None:
    """What servers have left that were killed: an emptyDir of Kubernetes outlives a container, as /tmp of a machine does."""
    for entry in os.scandir(tempfile.gettempdir()):
        if not entry.name.startswith(_PREFIX) or not entry.is_dir(follow_symlinks=False):
            continue
        with contextlib.suppress(OSError):
            folder = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(folder).st_uid == os.geteuid():
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(entry.path, ignore_errors=True)
            finally:
                os.close(folder)
