#!/usr/bin/env python3
"""Lock what a project's source distributions are built with, in a pylock.build.toml (PEP 751) beside the project's lock.

usage: build_lock.py PROJECT LISTING

LISTING is what the project's flake says of them: `sources` of nix/python/default.nix, as JSON. Source distributions are in
the store; nothing of them is run. Each gets a dependency group of its name, so that two may ask for different versions of
one build system. uv resolves them; versions that were locked before stay if they can.

Exit codes: 103 they cannot be locked, 101 the index cannot be asked; one sentence says why. with_tools.py runs this.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

import build_requirements
import program
from pylock import by_name, require_hashes, track, written
from relock import say
from storepath import fixed_output_path
from translate import code_of
from wheels import LockError, NoWheel, Unreachable, run_uv

MADE_BY = "nixw lock"
FILE = "pylock.build.toml"


@dataclasses.dataclass(frozen=True)
class Source:
    """What is built: a source distribution (`file`, `sha256`), or a folder or repository in the store (`src`)."""

    name: str
    version: str
    # The project's lock that names it, from the top of the project.
    lock: str
    # The Python that it is built for, as 3.13.
    python: str
    # What nix/python/lock/built.nix knows it by.
    identity: str
    # Settings of uv's: more requirements, and bounds of all.
    extra: tuple[str, ...]
    constraints: tuple[str, ...]
    file: str = ""
    sha256: str = ""
    src: str = ""

    @property
    def path(self) -> Path:
        """Where it is in the store."""
        return Path(fixed_output_path(self.file, self.sha256) if self.file else self.src)


def main(project: str, listing: str) -> None:
    top = top_of(Path(project))
    # Several images may have one lock.
    sources = list(dict.fromkeys(map(read, json.loads(Path(listing).read_text()))))
    texts = {}
    for lock in sorted({source.lock for source in sources}):
        if not (top / lock).is_file():
            raise LockError(f"the lock {lock}, which the flake reads, is not in {top}: run this where it is.")
        target = (top / lock).with_name(FILE)
        texts[target] = locked([source for source in sources if source.lock == lock], before(target))
    program.write_all(texts)
    for target in texts:
        say(f"Written: {os.path.relpath(target)}{track(target)}.")
    if not texts:
        say("Nothing of this project is built: its lock has a wheel of each package, or it has no lock.")


def read(entry: dict[str, Any]) -> Source:
    """One entry of the listing."""
    return Source(
        **entry | {"extra": tuple(entry["extra"]), "constraints": tuple(entry["constraints"])},
    )


def top_of(project: Path) -> Path:
    """The folder whose copy in the store the flake is: that of its Git repository, if it is in one."""
    try:
        result = subprocess.run(
            ["git", "-C", str(project), "rev-parse", "--show-toplevel"], capture_output=True, text=True
        )
    except OSError:
        return project
    return Path(result.stdout.rstrip("\n")) if result.returncode == 0 else project


def before(target: Path) -> dict[str, Any]:
    """The lock that is to be replaced. Raises LockError if it is not this program's."""
    if not target.exists():
        return {}
    try:
        content = tomllib.loads(target.read_text())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        content = {}
    if content.get("created-by") != MADE_BY:
        raise LockError(f"{os.path.relpath(target)} was not made by this command: move it away.")
    return content


def locked(sources: list[Source], old: dict[str, Any]) -> str:
    """The text of the pylock.build.toml. Raises LockError."""
    built_from: dict[str, list[str]] = {}
    packages: dict[tuple[str, str, str], dict[str, Any]] = {}
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted({source.name for source in sources}):
        # Several images of a project may have several versions of it.
        versions = [source for source in sources if source.name == name]
        built_from[name] = [source.identity for source in versions]
        for package in resolved(versions, preferred(old, name)):
            key = (package["name"], package["version"], package.get("marker", ""))
            packages[key] = package
            groups.setdefault(key, []).append(name)
    for key, package in packages.items():
        condition = " or ".join(map(condition_of, groups[key]))
        marker = f"({key[2]}) and ({condition})" if key[2] else condition
        packages[key] = {"name": package["name"], "version": package["version"], "marker": marker} | {
            "wheels": [by_name(wheel) for wheel in package["wheels"]]
        }
    head = {
        "created-by": MADE_BY,
        "requires-python": f">={sources[0].python}",
        "dependency-groups": list(built_from),
        "packages": [packages[key] for key in sorted(packages)],
    }
    return written(head, {"built-from": built_from})


def condition_of(group: str) -> str:
    return f"'{group}' in dependency_groups"


def preferred(old: dict[str, Any], group: str) -> str:
    """A pylock.toml of the versions that the group had before."""
    packages = [
        {key: package[key] for key in ("name", "version", "wheels")}
        for package in old.get("packages", [])
        if condition_of(group) in package["marker"]
    ]
    return written({"created-by": MADE_BY, "packages": packages}, {}) if packages else ""


def resolved(versions: list[Source], old: str) -> list[dict[str, Any]]:
    """The packages that these versions of one package are built with. Raises LockError."""
    first = versions[0]
    asked = list(dict.fromkeys(line for source in versions for line in requirements(source)))
    if not asked:
        return []
    with tempfile.TemporaryDirectory() as folder:
        lock, constraints = Path(folder, "pylock.toml"), Path(folder, "constraints.txt")
        constraints.write_text("".join(f"{line}\n" for line in first.constraints))
        if old:
            lock.write_text(old)
        command = ["pip", "compile", "-", "--output-file", str(lock), "--constraints", str(constraints)]
        command += ["--universal", "--python-version", first.python, "--only-binary", ":all:"]
        wanted = f"What {first.name} {first.version} is built with ({', '.join(asked)}) cannot be locked"
        try:
            run_uv(command, "".join(f"{line}\n" for line in asked), first.python, constrained=False)
        except Unreachable:
            raise
        except NoWheel as error:
            raise LockError(
                f"{wanted}: {error.wanted} has no wheel, and what builds others is not built itself; make one with `python3"
                f" -m pip wheel --no-deps --wheel-dir debian/wheels '{error.wanted}'`."
            ) from None
        except LockError as error:
            raise LockError(f"{wanted}: {error}") from None
        packages: list[dict[str, Any]] = tomllib.loads(lock.read_text()).get("packages", [])
    for package in packages:
        require_hashes(package)
    return packages


def requirements(source: Source) -> list[str]:
    """What the source asks to be built with, and the project for it. Raises LockError."""
    where = f"{source.name} {source.version}"
    asked = [*build_requirements.of(source.path, where), *source.extra]
    for line in asked:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            raise LockError(f"{where} asks to be built with {line!r}, which names no package.") from None
        if requirement.url:
            raise LockError(
                f"{where} asks to be built with {requirement.name} from an address, which is not locked: make a wheel of"
                f" {source.name} itself with `pip wheel`, and name that in the project's lock."
            )
    return asked


if __name__ == "__main__":
    program.run("lock", main, code_of)
