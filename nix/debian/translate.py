#!/usr/bin/env python3
"""Write a pylock.toml (PEP 751) of another lock: the same versions and hashes. Nothing is resolved anew.

usage: translate.py --from REQUIREMENTS.TXT [--complete]
       translate.py --from POETRY.LOCK

A requirements.txt says no names of files: they are asked of the index that the machine's pip is configured with, and held
against its hashes. `--complete` has versions chosen for what it does not pin, and only for that. The lock is written into
the folder of the pyproject.toml or manage.py that the other lock belongs to.

Exit codes: 103 the lock cannot be translated, 101 the index cannot be asked; one sentence says why. with_tools.py runs this.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import tomllib
import urllib.parse
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import mirror
import pins
import poetry
import program
from pylock import TRANSLATED, by_name, track, written
from relock import say
from wheels import LockError, Unreachable, compiled, run_uv

REFUSED, UNREACHABLE = 103, 101
NO_FILE = {"hashes": {"sha256": "none needed"}}
PYTHON = json.loads(Path(__file__).with_name("lock.json").read_text())["python"]


def main(*arguments: str) -> None:
    complete = "--complete" in arguments
    match [argument for argument in arguments if argument != "--complete"]:
        case ["--from", name]:
            file = Path(name)
        case _:
            raise LockError("use `nixw lock --from FILE`, with a requirements.txt or a poetry.lock.")
    folder = folder_for(file.absolute(), Path.cwd())
    lock = folder / "pylock.toml"
    check_place(lock)
    if file.name.endswith(".lock"):
        content, sources = poetry.translate(file, folder), [file]
    else:
        found = pins.read(file)
        for ignored in found.ignored:
            say(f"left out: {ignored}.")
        content, sources = from_pins(found.pins, file, complete), found.files
    made_from = [record(source, folder) for source in sources]
    text = written({"created-by": TRANSLATED} | content, {"made-from": made_from})
    program.write_all({lock: text})
    say(f"Written: {os.path.relpath(lock)}, {len(content['packages'])} packages{track(lock)}.")


def folder_for(file: Path, top: Path) -> Path:
    """The folder that the lock is looked for in: the nearest one with pyproject.toml or manage.py, from the file upwards."""
    if not file.is_file():
        raise LockError(f"there is no file {os.path.relpath(file)}.")
    for folder in file.parents:
        if (folder / "pyproject.toml").exists() or (folder / "manage.py").exists():
            return folder
        if folder == top:
            break
    below = [
        found.parent for pattern in ("*/manage.py", "*/*/manage.py") for found in sorted(top.glob(pattern))
    ]
    return below[0] if len(below) == 1 else top


def check_place(lock: Path) -> None:
    """Raise LockError if the project has a lock that is not this program's."""
    if lock.with_name("uv.lock").exists():
        raise LockError("there is a uv.lock, which is read as it is: nothing need be translated.")
    if lock.exists() and f"created-by = {json.dumps(TRANSLATED)}" not in lock.read_text(errors="replace"):
        raise LockError(
            f"{os.path.relpath(lock)} was not made by this command, and stays as it is: move it away."
        )


def from_pins(wanted: list[pins.Pin], file: Path, complete: bool) -> dict[str, Any]:
    """What the pinned lines say, with the files that the index has of them. Raises LockError and Unreachable."""
    named = [pin for pin in wanted if pin.version is not None]
    content = listed(named, complete)
    versions = {(pin.name, pin.version): pin for pin in named}
    for package in content["packages"]:
        if pin := versions.get((package["name"], package.get("version"))):
            keep_hashed(package, pin)
    content["packages"] += [addressed(pin) for pin in wanted if pin.address is not None]
    if not complete and not any(pin.sha256 for pin in wanted):
        check_complete(named, content["packages"], {pin.name for pin in wanted}, file)
    content["packages"].sort(key=lambda package: package["name"])
    return content


def listed(named: list[pins.Pin], complete: bool) -> dict[str, Any]:
    """uv's list of them with all their files, by name; `complete`: and of what they need besides."""
    lines = "".join(f"{pin.name}=={pin.version}{f' ; {pin.marker}' if pin.marker else ''}\n" for pin in named)
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "pylock.toml")
        command = [
            "pip",
            "compile",
            "-",
            "--output-file",
            str(lock),
            "--universal",
            "--python-version",
            PYTHON,
        ]
        run_uv(command + ([] if complete else ["--no-deps"]), lines, PYTHON, constrained=False)
        content = tomllib.loads(lock.read_text())
    packages = []
    for package in content.get("packages", []):
        made = {key: package[key] for key in ("name", "version", "marker") if key in package}
        made["wheels"] = [by_name(wheel) for wheel in package.get("wheels", [])]
        if "sdist" in package:
            made["sdist"] = by_name(package["sdist"])
        if not all(file["hashes"].get("sha256") for file in [*made["wheels"], made.get("sdist", NO_FILE)]):
            raise LockError(
                f"The Python index gives no SHA-256 of {package['name']}'s files, and a lock needs it: use another index."
            )
        packages.append(made)
    return {"requires-python": content["requires-python"], "packages": packages}


def keep_hashed(package: dict[str, Any], pin: pins.Pin) -> None:
    """Keep those of a package's files whose hashes the line names. Raises LockError if there is none."""
    if not pin.sha256:
        return
    package["wheels"] = [file for file in package["wheels"] if file["hashes"].get("sha256") in pin.sha256]
    if package.get("sdist", {"hashes": {}})["hashes"].get("sha256") not in pin.sha256:
        package.pop("sdist", None)
    if not package["wheels"] and "sdist" not in package:
        raise LockError(
            f"{pin.where} names other hashes than the Python index has of {pin.name}=={pin.version}: make the file anew, or"
            " configure pip with the index that it was made from."
        )


def addressed(pin: pins.Pin) -> dict[str, Any]:
    """What a line names by its address."""
    made: dict[str, Any] = {"name": pin.name} | ({"marker": pin.marker} if pin.marker else {})
    address = pins.hidden(pin.address or "")
    if git := pins.COMMIT.fullmatch(address):
        made["vcs"] = {"type": "git", "url": git["url"], "commit-id": git["commit"]}
        options = urllib.parse.parse_qs(git["options"] or "")
        if "subdirectory" in options:
            made["vcs"]["subdirectory"] = options["subdirectory"][0]
        return made
    return made | {"archive": {"url": address.partition("#")[0], "hashes": {"sha256": min(pin.sha256)}}}


def check_complete(
    named: list[pins.Pin], packages: list[dict[str, Any]], given: set[str], file: Path
) -> None:
    """Raise LockError if something that these need is not among them. Those without wheels are not asked."""
    sources = {package["name"] for package in packages if not package.get("wheels")}
    asked = [
        Requirement(f"{pin.name}=={pin.version}{f' ; {pin.marker}' if pin.marker else ''}")
        for pin in named
        if pin.name not in sources
    ]
    try:
        found = compiled(asked, sources | (given - {pin.name for pin in named}), PYTHON, constrained=False)
    except LockError as error:
        say(f"not sure that it is complete: {error}")
        return
    missing = sorted({package["name"] for package in found} - given)
    if missing:
        raise LockError(
            f"{file.name} does not pin {', '.join(missing)}, which what it pins needs: add these lines, or let `nixw lock"
            f" --from {file} --complete` choose their versions."
        )


def record(source: Path, folder: Path) -> dict[str, str]:
    """A file that the lock is made of, by its path and hash: Nix says when it has changed."""
    return {
        "path": os.path.relpath(source, folder),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }


def code_of(error: Exception) -> int:
    """The exit code of a failure."""
    return UNREACHABLE if isinstance(error, Unreachable | mirror.MirrorError) else REFUSED


if __name__ == "__main__":
    program.run("lock", main, code_of)
