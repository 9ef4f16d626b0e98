"""Stage 4, collect: Django's collectstatic, made safe for a volume that replicas share and images outlive.

Django compares modification times. In an image those are all alike, so a new image's files would never
replace an old one's. Here files are collected into a scratch directory, compared by content, and renamed into
place, so that a replica that serves from the directory never misses a file and never reads half of one.
"""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import functools
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import log
from .errors import BootError, ExitCode, describe
from .variables import Configuration

SCRATCH = ".collecting"
MARKER = ".collected.json"
LOCK_LIMIT = 120.0  # seconds to wait for other replicas that collect into the same directory
POLL = 0.05  # seconds

# Settings that can change what collectstatic makes, by the beginnings of their names.
_SETTINGS = ("STATIC", "WHITENOISE_", "COMPRESS", "FILE_UPLOAD_", "INSTALLED_APPS")


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
    """Collect the static files. Raises BootError (COLLECTSTATIC)."""
    if not _is_installed():
        log.info("django.contrib.staticfiles is not installed: no static files to collect.")
        return
    from django.conf import settings

    root = Path(settings.STATIC_ROOT) if settings.STATIC_ROOT else None
    try:
        with contextlib.ExitStack() as stack:
            if root:
                _make_directory(root)
                stack.enter_context(locked(root, fcntl.LOCK_EX))
            _collect(configuration, root)
    except BootError:
        raise
    except OSError as error:
        raise BootError(ExitCode.COLLECTSTATIC, _advice(error, root)) from error
    except (Exception, SystemExit) as error:
        raise BootError(
            ExitCode.COLLECTSTATIC, f"Static files cannot be collected: {describe(error)}.", cause=error
        ) from error


@contextlib.contextmanager
def locked(directory: Path, mode: int) -> Iterator[None]:
    """Hold a lock (fcntl.LOCK_EX to write, LOCK_SH to read) on the static directory against other replicas.

    Raises BootError (COLLECTSTATIC) if they keep it too long. A file system without locks goes unlocked.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + LOCK_LIMIT
        told = False
        while True:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
                break
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
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


def _collect(configuration: Configuration, root: Path | None) -> None:
    scratch = root / SCRATCH if root else None
    if root and scratch:
        # Left behind by a boot that was killed: whoever holds the lock is alone here.
        shutil.rmtree(scratch, ignore_errors=True)
        fingerprint = _fingerprint(configuration.fingerprint)
        total = _unchanged(root, fingerprint)
        if total is not None:
            _report(root, 0, total)
            return
        if storage := _storage_in(scratch):
            scratch.mkdir(mode=0o755)
            _compress_once(storage)
            try:
                collected = _run(storage)
                (root / MARKER).unlink(missing_ok=True)
                copied = _publish(scratch, root, getattr(storage, "manifest_name", ""))
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            hashed = getattr(storage, "hashed_files", {})
            changed = sum(name in copied or hashed.get(name) in copied for name in collected)
            if fingerprint:
                marker = {"fingerprint": fingerprint, "files": len(collected)}
                _write(root / MARKER, json.dumps(marker).encode())
            _reload_manifest()
            _report(root, changed, len(collected) - changed)
            return
    _run(None)


def _run(storage: Any) -> list[str]:
    """Run the project's `collectstatic` into `storage` (None: its own); return the collected paths."""
    from django.core.management import call_command, get_commands, load_command_class

    app = get_commands()["collectstatic"]
    command = load_command_class(app, "collectstatic") if isinstance(app, str) else app
    if storage is not None:
        command.storage = storage
    output, errors = io.StringIO(), log.Lines(level="WARNING")
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


def _storage_in(scratch: Path) -> Any:
    """The project's static storage, with another directory; None if it does not keep files in a directory."""
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


def _compress_once(storage: Any) -> None:
    """Let WhiteNoise compress only once what is the same twice: a file, and its copy with a hash in its name.

    Compression is a good part of the time that a first boot takes. `create_compressor` is the hook that WhiteNoise's
    storages have for compressors of one's own; a storage without it is left alone.
    """
    if not hasattr(storage, "create_compressor"):
        return
    create = storage.create_compressor

    def create_with_memory(**options: Any) -> Any:
        compressor = create(**options)
        for method in ("compress_gzip", "compress_brotli"):
            if hasattr(compressor, method):
                setattr(compressor, method, functools.cache(getattr(compressor, method)))
        return compressor

    storage.create_compressor = create_with_memory


def _publish(scratch: Path, root: Path, manifest: str) -> set[str]:
    """Move what differs into place; return the names of those files.

    New names go first and the manifest last, so that whoever reads finds all that it mentions.
    """
    new, replaced = [], []
    for directory, _, files in os.walk(scratch):
        for file in files:
            name = f"{directory}/{file}".removeprefix(f"{scratch}/")
            if not os.path.exists(f"{root}/{name}"):
                new.append(name)
            elif not filecmp.cmp(f"{scratch}/{name}", f"{root}/{name}", shallow=False):
                replaced.append(name)
    replaced.sort(key=lambda name: os.path.basename(name) == manifest)
    new.sort(key=lambda name: os.path.basename(name) == manifest)
    for folder in sorted({os.path.dirname(name) for name in new}):
        _make_directory(root / folder)
    for name in new + replaced:
        os.chmod(f"{scratch}/{name}", 0o644)
        os.replace(f"{scratch}/{name}", f"{root}/{name}")
    return {*new, *replaced}


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)  # whatever the umask is


def _write(path: Path, data: bytes) -> None:
    """Replace the file whole."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(data)
    temporary.chmod(0o644)
    temporary.replace(path)


def _fingerprint(of_the_build: str) -> str:
    """Changes whenever the result of collectstatic can have changed; "" if the build gave none.

    No secret goes into it, for the file that keeps it lies in a public directory.
    """
    if not of_the_build:
        return ""
    import django
    from django.conf import settings

    values = {name: repr(getattr(settings, name)) for name in dir(settings) if name.startswith(_SETTINGS)}
    values["STORAGES"] = repr(settings.STORAGES.get("staticfiles"))
    parts = [of_the_build, django.__version__, sorted(values.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _unchanged(root: Path, fingerprint: str) -> int | None:
    """How many files are in place, if the marker says that they are this very build's; else None."""
    if not fingerprint:
        return None
    try:
        marker = json.loads((root / MARKER).read_bytes())
        return int(marker["files"]) if marker["fingerprint"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


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


def _advice(error: OSError, root: Path | None) -> str:
    path = error.filename2 or error.filename or root
    sentence = f"Static files cannot be written to {root}: {path}: {error.strerror}"
    with contextlib.suppress(OSError, TypeError):
        place = Path(os.fspath(path or "."))
        found = next(each for each in (place, *place.parents) if each.exists())
        owner = found.stat()
        sentence += (
            f" ({found} belongs to {owner.st_uid}:{owner.st_gid}, mode {owner.st_mode & 0o777:o};"
            f" this is {os.getuid()}:{os.getgid()})"
        )
    return f"{sentence}. Make the directory writable and large enough, or set RUN_COLLECTSTATIC=0."


def _is_installed() -> bool:
    from django.apps import apps

    return bool(apps.is_installed("django.contrib.staticfiles"))
