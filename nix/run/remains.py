"""What a run leaves behind when it is killed: folders for temporary files, and processes that have yet to end."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def temporary_folder(prefix: str, note: Path, owner: int) -> Path:
    """A new folder of the user with the number `owner`; `note` becomes a link to it.

    The folder that `note` has led to is removed: whoever made it was killed. `note` may be another's work, so it counts
    only where it leads to a folder like the new one.
    """
    if note.is_symlink():
        old = note.readlink()
        alike = old.parent == Path(tempfile.gettempdir()) and old.name.startswith(prefix)
        if alike and os.path.lexists(old) and old.lstat().st_uid == owner:
            remove(old)
        note.unlink()
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    note.symlink_to(folder)
    if owner != os.geteuid():
        os.chown(folder, owner, -1)
    return folder


def remove(folder: Path) -> None:
    """Remove a temporary folder, with the sockets of a server that was killed; one with anything else in it stays."""
    with suppress(OSError):
        for entry in folder.glob(".s.PGSQL.*"):
            entry.unlink()
        folder.rmdir()


def ends_with_parent(number: int) -> Callable[[], None]:
    """A `preexec_fn` for subprocess: the kernel sends the child that signal when this process has ended, however."""
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
