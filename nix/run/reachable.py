"""A folder of root's, for an ordinary user."""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from remains import remove, temporary_folder

MS_REC, MS_BIND, MS_PRIVATE = 0x4000, 0x1000, 0x40000  # <sys/mount.h>
MNT_DETACH = 2


@contextmanager
def within_reach(folder: Path, user: pwd.struct_passwd) -> Iterator[Path]:
    """A path to `folder` that `user` can follow, also when a folder above it is root's alone (/root, say).

    That path exists for this process and its children only: it is a mount in a namespace of their own. Where the kernel
    refuses that, `folder` is returned as it is, and whoever writes there says what is wrong.
    """
    os.chown(folder, user.pw_uid, user.pw_gid)
    account: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    if subprocess.run(["test", "-w", str(folder)], **account).returncode == 0:
        yield folder
        return
    note = folder / "mounted"
    place = temporary_folder("run-", note, os.geteuid())
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.unshare(os.CLONE_NEWNS)
        mount(libc, b"none", b"/", MS_REC | MS_PRIVATE)
        mount(libc, os.fsencode(folder), os.fsencode(place), MS_BIND)
        mounted = True
    except OSError:
        mounted = False
    try:
        yield place if mounted else folder
    finally:
        if mounted:
            libc.umount2(os.fsencode(place), MNT_DETACH)
        remove(place)
        note.unlink()


def mount(libc: ctypes.CDLL, source: bytes, target: bytes, flags: int) -> None:
    if libc.mount(source, target, None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
