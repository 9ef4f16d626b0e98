"""What says that the static files of this very build are in place already: a marker beside them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

MARKER = ".collected.json"
LARGEST = 4096  # bytes that a marker of ours never reaches
_BUILD = ".fingerprint"

# Settings that can change what collectstatic makes, by the beginnings of their names.
_SETTINGS = ("STATIC", "WHITENOISE_", "COMPRESS", "FILE_UPLOAD_", "INSTALLED_APPS")


def fingerprint(project: Path) -> str:
    """Changes whenever the result of collectstatic can have changed; "" if the project's build gave none.

    No secret goes into it, for the file that keeps it lies in a public directory.
    """
    of_the_build = _of_the_build(project)
    if not of_the_build:
        return ""
    import django
    from django.conf import settings

    values = {name: repr(getattr(settings, name)) for name in dir(settings) if name.startswith(_SETTINGS)}
    values["STORAGES"] = repr(settings.STORAGES.get("staticfiles"))
    parts = [of_the_build, django.__version__, sorted(values.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _of_the_build(project: Path) -> str:
    """What the image's build wrote (nix/image/fingerprint.py); "" where another tree is mounted."""
    try:
        own = (project / _BUILD).read_text()
        return own + "".join((project / folder / _BUILD).read_text() for folder in own.splitlines()[1:])
    except (OSError, ValueError):
        return ""


def marker(root: Path, fingerprint: str, files: int) -> bytes:
    """The marker's contents, once everything else is in place."""
    return json.dumps({"fingerprint": fingerprint, "files": files, "state": _state(root)}).encode()


def unchanged(root: Path, fingerprint: str) -> int | None:
    """How many files are in place, if the marker says that they are this very build's; else None."""
    if not fingerprint:
        return None
    try:
        found = json.loads(_read(root / MARKER))
        if found["fingerprint"] == fingerprint and found["state"] == _state(root):
            return int(found["files"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _state(root: Path) -> str:
    """Changes when something is added to the directory, to a folder in it, or removed, or a file in it is written.

    One directory is read, however many files there are below it.
    """
    with os.scandir(root) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        states = [(entry.name, entry.stat(follow_symlinks=False)) for entry in visible]
    lines = [f"{name} {state.st_mode} {state.st_mtime_ns}" for name, state in sorted(states)]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _read(path: Path) -> bytes:
    """A regular file's contents; of anything else nothing. A FIFO is not waited for, a link not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LARGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)
