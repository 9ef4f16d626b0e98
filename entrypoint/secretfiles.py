"""NAME_FILE: a secret that comes in a file, as Docker and Kubernetes mount them."""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping

from . import redaction
from .variables import SECRETS

LARGEST = 65536  # bytes; no password is longer, and /dev/zero would be

_files: dict[str, str] = {}  # the path by the name of the secret


def resolve(environ: MutableMapping[str, str], problems: dict[str, str]) -> frozenset[str]:
    """Read the files that NAME_FILE names into NAME and drop NAME_FILE, so that any project profits.

    What is wrong goes to `problems`, by variable. Returns the names that came from files.
    """
    _files.clear()
    for name in SECRETS:
        path = environ.get(f"{name}_FILE")
        if path:
            if environ.get(name):
                problems[name] = f"{name} and {name}_FILE are both set: set one of them."
            elif (value := _read(name, path, problems)) is not None:
                environ[name] = value
                _files[name] = path
            del environ[f"{name}_FILE"]
        redaction.add_secrets(environ.get(name))
    return frozenset(_files)


def read_anew(environ: MutableMapping[str, str], problems: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Read the same files again; return the old and the new value of what has changed, which NAME has now.

    What is wrong goes to `problems`, by variable, and NAME stays.
    """
    changed = {}
    for name, path in _files.items():
        value, old = _read(name, path, problems), environ.get(name, "")
        if value is not None and value != old:
            redaction.add_secrets(value)
            environ[name] = value
            changed[name] = old, value
    return changed


def files() -> bool:
    """Whether any secret came from a file."""
    return bool(_files)


def _read(name: str, path: str, problems: dict[str, str]) -> str | None:
    """The value, or None and a problem."""
    problem, value = _value(f"{name}_FILE", path)
    if problem:
        problems[name] = problem
        return None
    return value


def _value(variable: str, path: str) -> tuple[str, str]:
    """What is wrong (or ""), and the value."""
    try:
        # Not a FIFO: opening one waits for a writer, perhaps for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return f"{variable} names {path!r}, which is not a regular file: name a file.", ""
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"{variable} names {path!r}, which cannot be read: {reason}.", ""
    if len(data) > LARGEST:
        return f"{variable} names {path!r}, which is larger than {LARGEST} bytes: name the right file.", ""
    if b"\0" in data:
        return f"{variable} names {path!r}, which holds a NUL byte: write the secret as text.", ""
    try:
        value = data.decode("utf-8")
    except UnicodeDecodeError:
        return f"{variable} names {path!r}, which is not UTF-8 text: write the secret as text.", ""
    # One newline at the end is the editor's, not the secret's.
    value = value.removesuffix("\r\n") if value.endswith("\r\n") else value.removesuffix("\n")
    if not value.strip():
        return f"{variable} names {path!r}, which is empty: write the secret into it.", ""
    return "", value
