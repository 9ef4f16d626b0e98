"""A project's own lock, pylock.toml (PEP 751): uv makes it, from the index that the machine's pip knows; and how any is written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
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


def by_name(file: dict[str, Any]) -> dict[str, Any]:
    """A file without its address: any index that has it will do."""
    name = file.get("name") or urllib.parse.unquote((file.get("url") or file["path"]).rsplit("/", 1)[-1])
    return {"name": name, "hashes": file.get("hashes", {})}


def written(content: dict[str, Any], settings: dict[str, Any]) -> str:
    """The text of a pylock.toml, with settings of [tool.nixw]."""
    head = {"lock-version": "1.0"} | content
    lines = [f"{key} = {toml(value)}" for key, value in head.items() if key != "packages" and value]
    for package in content["packages"]:
        lines += ["", "[[packages]]"]
        for key, value in package.items():
            if key == "wheels" and len(value) > 1:
                lines += ["wheels = [", *(f"    {toml(wheel)}," for wheel in value), "]"]
            elif value:
                lines.append(f"{key} = {toml(value)}")
    lines += ["", "[tool.nixw]", *(f"{key} = {toml(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A value as TOML, in one line."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def track(lock: Path) -> str:
    """Add the lock to git's index, for a flake sees only what git tracks; what to say of it."""
    git = ["git", "-C", str(lock.parent)]
    try:
        if subprocess.run([*git, "rev-parse"], capture_output=True).returncode != 0:
            return ""
        added = subprocess.run([*git, "add", lock.name], capture_output=True).returncode == 0
    except OSError:
        added = False
    return ", and added to git's index" if added else "; `git add` it, for a flake sees only what git tracks"
