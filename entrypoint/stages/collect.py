"""Stage 4, collect: Django's collectstatic, made safe for a volume that replicas share and images outlive.

Django compares modification times. In an image those are all alike, so a new image's files would never
replace an old one's. Here files are collected into a scratch directory, compared by content, and renamed into
place, so that a replica that serves from the directory never misses a file and never reads half of one.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import capture, log
from ..configuration import Configuration
from ..errors import BootError, ExitCode, describe, lacks_processes, no_process, owner
from ..static.compressed import compress_once
from ..static.fingerprint import MARKER, marker, unchanged
from ..static.fingerprint import fingerprint as fingerprint_of
from ..static.links import link_saved
from ..static.lock import locked
from ..static.publish import make_directory, publish, write
from ..static.scratch import remove, scratch_in


def problems() -> list[str]:
    """What is wrong with the settings, as far as static files go."""
    from django.conf import settings

    if not _is_installed() or settings.STATIC_ROOT:
        return []
    storage = settings.STORAGES.get("staticfiles", {})
    from django.contrib.staticfiles.storage import StaticFilesStorage
    from django.utils.module_loading import import_string

    try:
        backend = import_string(storage.get("BACKEND", ""))
    except ImportError as error:
        return [f'STORAGES["staticfiles"] is wrong: {describe(error)}.']
    if issubclass(backend, StaticFilesStorage) and not storage.get("OPTIONS", {}).get("location"):
        return ["STATIC_ROOT is not set: set it to the directory for static files, or RUN_COLLECTSTATIC=0."]
    return []


def collect(configuration: Configuration) -> None:
    """Collect the static files. Raises BootError (COLLECTSTATIC; SERVER for want of threads)."""
    if not _is_installed():
        log.info("django.contrib.staticfiles is not installed: no static files to collect.")
        return
    from django.conf import settings

    root = Path(settings.STATIC_ROOT) if settings.STATIC_ROOT else None
    try:
        with contextlib.ExitStack() as stack:
            if root:
                make_directory(root)
                stack.enter_context(locked(root, fcntl.LOCK_EX))
            _collect(root)
    except BootError:
        raise
    except OSError as error:
        raise BootError(ExitCode.COLLECTSTATIC, advice(error, root)) from error
    except (Exception, SystemExit) as error:
        if lacks_processes(error):  # compression has threads
            raise no_process(error) from error
        raise BootError(
            ExitCode.COLLECTSTATIC, f"Static files cannot be collected: {describe(error)}.", cause=error
        ) from error


def _collect(root: Path | None) -> None:
    if not root or not _keeps_files_in_a_directory():
        _run(None)
        return
    fingerprint = fingerprint_of(Path.cwd())
    total = unchanged(root, fingerprint)
    if total is not None:
        _report(root, 0, total)
        return
    with scratch_in(root) as scratch:
        storage = _storage_in(scratch)
        if storage is None:
            _run(None)
            return
        link_saved(storage)
        compress_once(storage)
        with _no_locks_on_files():
            collected = _run(storage)
        remove(root / MARKER)
        copied = publish(scratch, root, getattr(storage, "manifest_name", ""))
        if fingerprint:
            write(root / MARKER, marker(root, fingerprint, len(collected)), scratch)
    hashed = getattr(storage, "hashed_files", {})
    changed = sum(name in copied or hashed.get(name) in copied for name in collected)
    _reload_manifest()
    _report(root, changed, len(collected) - changed)


def _run(storage: Any) -> list[str]:
    """Run the project's `collectstatic` into `storage` (None: its own); return the collected paths."""
    from django.core.management import call_command, get_commands, load_command_class

    app = get_commands()["collectstatic"]
    command = load_command_class(app, "collectstatic") if isinstance(app, str) else app
    if storage is not None:
        command.storage = storage
    output, errors = io.StringIO(), capture.Lines(level="WARNING")
    summary = ""
    try:
        summary = (
            call_command(command, interactive=False, skip_checks=False, stdout=output, stderr=errors) or ""
        )
    finally:
        errors.finish()
        text = output.getvalue()
        for line in (text.replace(summary, "") if storage is not None else text).splitlines():
            if line.strip():
                log.info(line.strip())
    return sorted({*getattr(command, "copied_files", ()), *getattr(command, "unmodified_files", ())})


def _keeps_files_in_a_directory() -> bool:
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage
    from django.utils.module_loading import import_string

    backend = import_string(settings.STORAGES["staticfiles"]["BACKEND"])
    return isinstance(backend, type) and issubclass(backend, FileSystemStorage)


def _storage_in(scratch: Path) -> Any:
    """The project's static storage, with another directory; None if it has one of its own."""
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage, storages

    definition = settings.STORAGES["staticfiles"]
    options = dict(definition.get("OPTIONS", {}))
    if "location" in options:
        options["location"] = str(scratch)
    static_root = settings.STATIC_ROOT
    settings.STATIC_ROOT = str(scratch)
    try:
        storage = storages.create_storage({**definition, "OPTIONS": options})
    finally:
        settings.STATIC_ROOT = static_root
    if isinstance(storage, FileSystemStorage) and Path(storage.location) == scratch.absolute():
        return storage
    return None


@contextlib.contextmanager
def _no_locks_on_files() -> Iterator[None]:
    """Django locks each file that it writes. In a directory of our own nobody else does, and some file systems cannot."""
    from django.core.files import locks

    before = locks.lock, locks.unlock
    locks.lock = locks.unlock = lambda *_: True
    try:
        yield
    finally:
        locks.lock, locks.unlock = before


def _reload_manifest() -> None:
    """Code that was imported earlier may hold the storage, with the manifest as it was before."""
    from django.contrib.staticfiles.storage import staticfiles_storage

    if hasattr(staticfiles_storage, "load_manifest"):
        staticfiles_storage.hashed_files, staticfiles_storage.manifest_hash = (
            staticfiles_storage.load_manifest()
        )


def _report(root: Path, copied: int, unmodified: int) -> None:
    """Django's own sentence, which people search logs for."""
    files = "static file" if copied == 1 else "static files"
    rest = f", {unmodified} unmodified" if unmodified else ""
    log.info(f"{copied} {files} copied to '{root}'{rest}.", copied=copied, unmodified=unmodified)


def advice(error: OSError, root: Path | None) -> str:
    """The sentence for a directory that cannot be written, or for a file elsewhere."""
    name = error.filename2 or error.filename
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else root or Path()
    about = f"{path}: {error.strerror}"
    with contextlib.suppress(OSError):
        about += f" ({owner(path)})"
    if root and not path.resolve().is_relative_to(root.resolve()):
        # What some storage, finder or compiler of static files reads or writes.
        return (
            f"Static files cannot be collected: {about}, which is not in {root}: let this user read it; or if it is written,"
            " have that done in a writable folder (packages are read-only); or set RUN_COLLECTSTATIC=0."
        )
    return (
        f"Static files cannot be written to {root}: {about}."
        " Make the directory writable and large enough, or set RUN_COLLECTSTATIC=0."
    )


def _is_installed() -> bool:
    from django.apps import apps

    return bool(apps.is_installed("django.contrib.staticfiles"))
