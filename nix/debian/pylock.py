"""A project's own lock, pylock.toml (PEP 751): uv makes it, from the index that the machine's pip knows."""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
import urllib.parse
from collections.abc import Collection
from pathlib import Path

from packaging.markers import Marker

from wheels import LockError, best_wheel, markers, no_wheel, run_uv

# A file at an address, in a lock that uv has written.
ADDRESSED = re.compile(r'\burl = "[^"]*/([^"/]+)"(, upload-time = [^,}]+)?(, size = \d+)?')


def has_pylock(pyproject: Path) -> bool:
    return pyproject.with_name("pylock.toml").exists()


def locked(pyproject: Path, given: Collection[str], python: str, upgrade: bool) -> str:
    """The text of the pylock.toml beside a pyproject.toml, made anew; without `upgrade`, versions stay if they can.

    A lock that names no addresses gets none. Raises LockError, also for what cannot be installed on this set: packages
    without a wheel that are not `given`.
    """
    before = pyproject.with_name("pylock.toml")
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "pylock.toml")
        shutil.copy(before, lock)
        command = ["pip", "compile", str(pyproject), "--output-file", str(lock), "--universal"]
        command += ["--python-version", python, "--custom-compile-command", "nixw relock"]
        run_uv(command + (["--upgrade"] if upgrade else []), "", python)
        text = lock.read_text()
    for package in tomllib.loads(text).get("packages", []):
        applies = Marker(package["marker"]).evaluate(markers(python)) if "marker" in package else True
        if applies and package["name"] not in given:
            check_installable(package, python)
    return text if re.search(r"\burl = ", before.read_text()) else without_addresses(text)


def check_installable(package: dict[str, object], python: str) -> None:
    try:
        best_wheel(package, python)
    except LockError:
        raise LockError(no_wheel(f"{package['name']}=={package.get('version', '?')}", python)) from None


def without_addresses(text: str) -> str:
    """Files by name and hash alone: any index that has them will do.

    >>> without_addresses('{ url = "https://example.org/a-1%2Bb.whl", size = 9, hashes = {} }')
    '{ name = "a-1+b.whl", hashes = {} }'
    """
    return ADDRESSED.sub(lambda found: f'name = "{urllib.parse.unquote(found[1])}"', text)
