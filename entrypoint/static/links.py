"""Static files of the same content are written once; further names are hard links, several times as quick to make.

The same are most files and their copies with hashes in their names, and the compressed variants of both. Links to a file
are one file: it must not be written to later. Publishing renames, and so do later collections.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from typing import Any

# Whose storages write each file once, and whole. A project's own may go on to write into it.
TRUSTED = ("django", "whitenoise")


class Links:
    """The first file of each content: of its bytes, or of their hash."""

    def __init__(self) -> None:
        self._files: dict[bytes, str] = {}

    def made(self, content: bytes, path: str) -> bool:
        """Whether the file could be made as a link, in a folder that is there."""
        first = self._files.get(content)
        if first is None:
            return False
        # There may be no such folder, or no links here, or no further one; or the first file has been removed.
        try:
            os.link(first, path)
        except OSError:
            return False
        return True

    def remember(self, content: bytes, path: str) -> None:
        """Another file may be a link to this one."""
        self._files[content] = path


def link_saved(storage: Any) -> None:
    """Let a FileSystemStorage save each content once, if nobody but Django and WhiteNoise does anything about its files."""
    from django.core.files.storage import FileSystemStorage

    own = {each.__module__.partition(".")[0] for each in _methods(storage, "_save", "post_process")}
    if type(storage)._save is not FileSystemStorage._save or not own.issubset(TRUSTED):
        return
    links, save = Links(), storage._save

    def save_once(name: str, content: Any) -> str:
        digest = _digest(content)
        if digest and links.made(digest, storage.path(name)):
            return name
        saved: str = save(name, content)
        if digest:
            links.remember(digest, storage.path(saved))
        return saved

    storage._save = save_once


def linked(write: Callable[..., str]) -> Callable[..., str]:
    """WhiteNoise's method that writes a compressed variant, but for contents that it has written before."""
    links, lock = Links(), threading.Lock()  # WhiteNoise has threads

    def write_once(path: str, data: bytes, suffix: str, status: Any) -> str:
        target = path + suffix
        with lock:
            if not links.made(data, target):
                target = write(path, data, suffix, status)
                links.remember(data, target)
        return target

    return write_once


def _methods(storage: Any, *names: str) -> list[Any]:
    """What any class of the storage's has under these names."""
    return [vars(each)[name] for each in type(storage).__mro__ for name in names if name in vars(each)]


def _digest(content: Any) -> bytes | None:
    """The SHA-256 of a file of Django's; None if it cannot be read twice, or is text."""
    if not content.seekable():
        return None
    digest = hashlib.sha256()
    for chunk in content.chunks():
        if not isinstance(chunk, bytes):
            return None
        digest.update(chunk)
    return digest.digest()
