"""A project's own lock, pylock.toml (PEP 751): uv makes it, from the index that the machine's pip knows."""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
import urllib.parse
from pathlib import Path
from typing import Any

from wheels import LockError, run_uv

# What a lock says that translate.py has made of another one.
TRANSLATED = "nixw lock --from"

# A file at an address, in a lock that uv has written.
ADDRESSED = re.compile(r'\burl = "[^"]*/([^"/]+)"(, upload-time = [^,}]+)?(, size = \d+)?')


def has_pylock(pyproject: Path) -> bool:
    return pyproject.with_name("pylock.toml").exists()


def locked(pyproject: Path, python: str, upgrade: bool) -> str:
    """The text of the pylock.toml beside a pyproject.toml, made anew; without `upgrade`, versions stay if they can.

    A lock that names no addresses gets none. Raises LockError.
    """
    before = pyproject.with_name("pylock.toml")
    if f'created-by = "{TRANSLATED}"' in before.read_text():
        raise LockError(f"{before} is made of another lock: change that, then `{TRANSLATED} FILE`.")
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "pylock.toml")
        shutil.copy(before, lock)
        command = ["pip", "compile", str(pyproject), "--output-file", str(lock), "--universal"]
        command += ["--python-version", python, "--custom-compile-command", "nixw relock"]
        run_uv(command + (["--upgrade"] if upgrade else []), "", python)
        text = lock.read_text()
    for package in tomllib.loads(text).get("packages", []):
        require_hashes(package)
    return text if re.search(r"\burl = ", before.read_text()) else without_addresses(text)


def require_hashes(package: dict[str, Any]) -> None:
    """Raise LockError if the index gives files of the package without their SHA-256."""
    archives = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if not all("sha256" in archive.get("hashes", {}) for archive in archives):
        raise LockError(
            f"The Python index gives files of {package['name']} {package.get('version', '')} without a SHA-256, and a lock"
            " needs it: ask for another version, or put a wheel of it into debian/wheels."
        )


def without_addresses(text: str) -> str:
    """Files by name and hash alone: any index that has them will do.

    >>> without_addresses('{ url = "https://example.org/a-1%2Bb.whl", size = 9, hashes = {} }')
    '{ name = "a-1+b.whl", hashes = {} }'
    """
    return ADDRESSED.sub(lambda found: f'name = "{urllib.parse.unquote(found[1])}"', text)
