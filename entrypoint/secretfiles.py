"""NAME_FILE: a secret that comes in a file, as Docker and Kubernetes mount them."""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping

from . import redaction
from .variables import SECRETS

LARGEST = 65536  # bytes; no password is longer, and /dev/zero would be


def resolve(environ: MutableMapping[str, str], problems: dict[str, str]) -> frozenset[str]:
    """Read the files that NAME_FILE names into NAME and drop NAME_FILE, so that any project profits.

    What is wrong goes to `problems`, by variable. Returns the names that came from files.
    """
    from_files = set()
    for name in SECRETS:
        path = environ.get(f"{name}_FILE")
        if path:
            problem, value = _read(name, path, environ)
            if problem:
                problems[name] = problem
            else:
                environ[name] = value
                from_files.add(name)
            del environ[f"{name}_FILE"]
        redaction.add_secrets(environ.get(name))
    return frozenset(from_files)


def _read(name: str, path: str, environ: MutableMapping[str, str]) -> tuple[str, str]:
    """What is wrong (or ""), and the value."""
    variable = f"{name}_FILE"
    if environ.get(name):
        return f"{name} and {variable} are both set: set one of them.", ""
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
