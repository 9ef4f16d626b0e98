"""The project in a folder that its user can write in, laid out as the image lays out /app."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

KEPT = ("staticfiles", "media", "logs")


def copy_project(source: Path, target: Path, user: pwd.struct_passwd | None) -> Path:
    """Replace the code in `target` by `source`'s; what the application has written stays. Returns `target`."""
    target.mkdir(exist_ok=True)
    for entry in target.iterdir():
        if entry.is_dir() and entry.name not in KEPT:
            shutil.rmtree(entry)
        elif not entry.is_dir():
            entry.unlink()
    for folder, _, files in source.walk():
        place = target / folder.relative_to(source)
        # Not with the modes of the store, where nothing is writable.
        place.mkdir(exist_ok=True)
        for name in files:
            shutil.copyfile(folder / name, place / name)
    for folder in (target, *(target / name for name in KEPT)):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
    return target
