#!/usr/bin/env python3
"""Resolve a packages.toml and a project's dependencies into the lock.json beside it; and, if the project has a pylock.toml,
its dependencies into that.

usage: relock.py FOLDER [LOCK]

FOLDER is nix/debian, or another project's folder `debian`, whose packages.toml says what that project adds; LOCK is
another file to write. apt resolves the Debian packages, so that Debian's signatures are checked; uv resolves the wheels.
Neither touches the machine's own state. The lock names no host: where files come from is the configuration of the
machine's apt (or DEBIAN_MIRROR) and pip.

with_tools.py runs this, with uv on PATH.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import mirror
import program
from machines import AARCH64, MACHINES, X86_64, Machine
from pylock import has_pylock, locked
from unpack import busybox_nar_hash
from wheels import LockError, applies, markers, resolve_wheels

HERE = Path(__file__).resolve().parent
ADDRESS = re.compile(r"[a-z+]+://\S+")


def main(folder: str, lock: str = "") -> None:
    if lock:
        program.write_all({Path(lock): set_lock(Path(folder))})
    else:
        relock(Path(folder), upgrade=True)


def relock(folder: Path, upgrade: bool) -> None:
    """Write the locks: a project's own if it has a pylock.toml, and the set's. If one cannot be made, none is written.

    Without `upgrade`, the versions in a project's own lock stay if they can. Raises LockError and MirrorError.
    """
    settings = read_settings(folder)
    written = {}
    for pyproject in project_files(settings, folder):
        if has_pylock(pyproject):
            say(f"Resolving {pyproject} ...")
            python = settings["debian"]["python"]
            written[pyproject.with_name("pylock.toml")] = locked(pyproject, python, upgrade)
    # Who has such a lock, and adds nothing to the set, uses the set as it is.
    if not written or (folder / "packages.toml").exists() or (folder / "lock.json").exists():
        written[folder / "lock.json"] = set_lock(folder)
        folder.mkdir(exist_ok=True)
    program.write_all(written)


def set_lock(folder: Path) -> str:
    """The text of the set's lock. Raises LockError and MirrorError.

    What is not to be had for another architecture than x86_64 is locked as a sentence, for whoever builds for that.
    """
    settings = read_settings(folder)
    content = {
        "release": settings["debian"]["release"],
        "python": settings["debian"]["python"],
        "debian-python": settings["wheels"]["debian"],
        "added": settings["debian"]["added"],
    } | wheels_for(X86_64, settings, folder, {})
    # Both have the same versions of Python packages. Debian's may be ahead of each other for a day.
    versions = {name: wheel["version"] for name, wheel in content["wheels"].items()}
    say(f"Resolving Debian packages ({settings['debian']['release']}) ...")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        indexes = {machine: pool.submit(index_for, machine, settings) for machine in MACHINES}
        try:
            other = wheels_for(AARCH64, settings, folder, versions)
            other |= debian_for(AARCH64, settings, folder, indexes[AARCH64].result())
        except (LockError, mirror.MirrorError) as error:
            # An address is not for a lock.
            why = ADDRESS.sub("...", program.one_line(error))
            say(f"Not for {AARCH64.name}: {why}")
            other = {"refused": f"nixw relock could not lock it for {AARCH64.name}: {why}"}
        content |= debian_for(X86_64, settings, folder, indexes[X86_64].result())
    say(f"  {len(content['debian'])} packages, {len(content['compiler'])} of them for compiling.")
    return json.dumps(content | {AARCH64.system: other}, indent=1, sort_keys=True) + "\n"


def wheels_for(
    machine: Machine, settings: dict[str, Any], folder: Path, versions: dict[str, str]
) -> dict[str, Any]:
    """The wheels that the lock has for one architecture; of `versions`, by name, no other. Raises LockError and MirrorError."""
    python = settings["debian"]["python"]
    wanted = requirements(settings, folder, machine)
    tools = applying(settings["wheels"]["tools"] + settings["wheels"]["development"], python, machine)
    say(f"Resolving wheels for {machine.name} ...")
    given = settings["wheels"]["debian"].keys()
    wheels, only_tools = resolve_wheels(wanted, tools, given, python, machine, versions)
    say(f"  {len(wheels)} wheels.")
    return {"wheels": wheels, "wheel-tools": only_tools}


def index_for(machine: Machine, settings: dict[str, Any]) -> mirror.Index:
    """What the mirror has for one architecture. Raises MirrorError."""
    with mirror.private(settings["debian"]["release"], machine) as apt:
        return apt.index()


def debian_for(
    machine: Machine, settings: dict[str, Any], folder: Path, index: mirror.Index
) -> dict[str, Any]:
    """The Debian packages that the lock has for one architecture. Raises LockError and MirrorError."""
    python_packages = settings["wheels"]["debian"]
    found = resolve_debian(settings["debian"], [*python_packages.values()], index)
    for requirement in requirements(settings, folder, machine):
        check_debian_version(requirement, python_packages, found["debian"])
    return found | {"busybox": busybox_nar_hash(found["debian"]["busybox-static"])}


def read_settings(folder: Path) -> dict[str, Any]:
    """The set's own packages.toml, with what another project's adds to it."""
    settings = read_toml(HERE / "packages.toml")
    wheels = settings["wheels"]
    if folder.resolve() == HERE:
        settings["debian"]["added"] = []
        return settings
    wheels["development"] = []
    added = read_toml(folder / "packages.toml") if (folder / "packages.toml").exists() else {}
    debian, python = (added.get(table, {}) for table in ("debian", "wheels"))
    names = python.get("debian", {}) if isinstance(python, dict) else {}
    if not (all(isinstance(table, dict) for table in (debian, python, names)) and are_texts(names.values())):
        raise LockError(
            f"{folder}/packages.toml: [debian], [wheels] and [wheels.debian] are tables, the last of names."
        )
    # What its Python packages load, or its application runs; and what they are compiled with.
    roots = sorted(texts(folder, "debian", debian, "roots", []))
    settings["debian"]["added"] = [name for name in roots if not name.endswith("-dev")]
    settings["debian"]["roots"] += settings["debian"]["added"]
    settings["debian"]["compiler"] += [name for name in roots if name.endswith("-dev")]
    wheels["roots"] = texts(folder, "wheels", python, "roots", [])
    wheels["debian"] |= names
    wheels["projects"] = texts(folder, "wheels", python, "projects", ["../pyproject.toml"])
    return settings


def texts(folder: Path, table: str, content: dict[str, Any], key: str, default: list[str]) -> list[str]:
    """An array of strings in a project's packages.toml. Raises LockError if it is something else."""
    found = content.get(key, default)
    if not isinstance(found, list) or not are_texts(found):
        raise LockError(f"{folder}/packages.toml: `{key}` of [{table}] is a list of names.")
    return found


def are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def project_files(settings: dict[str, Any], folder: Path) -> list[Path]:
    """The pyproject.toml files whose dependencies are locked. What has a lock of its own is not in the set's."""
    return [Path(folder, project).resolve() for project in settings["wheels"]["projects"]]


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise LockError(f"There is no {path}: write one, or make it with `nixw add PACKAGE`.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LockError(f"{path} cannot be read: {program.one_line(error)}.") from None


def requirements(settings: dict[str, Any], folder: Path, machine: Machine) -> list[Requirement]:
    """What the roots and the projects ask for on this set's Python and the machine."""
    texts = settings["wheels"]["always"] + settings["wheels"]["roots"]
    for pyproject in project_files(settings, folder):
        if not has_pylock(pyproject) and not pyproject.with_name("uv.lock").exists():
            texts += project_dependencies(pyproject)
    return applying(texts, settings["debian"]["python"], machine)


def applying(texts: list[str], python: str, machine: Machine) -> list[Requirement]:
    """The requirements whose conditions hold. Raises LockError."""
    try:
        found = [Requirement(text) for text in texts]
    except InvalidRequirement as error:
        raise LockError(f"A requirement cannot be read: {program.one_line(error)}.") from None
    for requirement in found:
        if requirement.url:
            raise LockError(
                f"{requirement.name} is asked for by address, which a lock cannot hold: name a version, or put a"
                " wheel of it into debian/wheels."
            )
    return [each for each in found if applies(each, markers(python, machine))]


def project_dependencies(path: Path) -> list[str]:
    """[project] dependencies of a pyproject.toml."""
    project = read_toml(path).get("project", {})
    dependencies = project.get("dependencies")
    if not isinstance(dependencies, list):
        raise LockError(
            f"{path} has no [project] table with `dependencies`: list there what the image needs, for nothing else is read."
        )
    return dependencies


def resolve_debian(settings: dict[str, Any], more: list[str], index: mirror.Index) -> dict[str, Any]:
    """The roots and all they depend on, as {name: {version, path, size, sha256, depends}}; and which of them are there
    only to compile with, and only as tools."""
    skip = set(settings["not-needed"])
    needed = with_dependencies([*settings["roots"], *more], index, skip)
    built_with = needed | with_dependencies(settings["tools"], index, skip)
    everything = built_with | with_dependencies(settings["compiler"], index, skip)
    return {
        "debian": everything,
        "compiler": sorted(everything.keys() - built_with.keys()),
        "tools": sorted(built_with.keys() - needed.keys()),
    }


def with_dependencies(roots: list[str], index: mirror.Index, skip: set[str]) -> dict[str, Any]:
    """The packages and all they depend on, but for those to skip."""
    found: dict[str, Any] = {}
    todo = [*roots]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = record = index.records[index.real_name(name)].copy()
        depends = {index.real_name(wanted) for wanted in record["depends"] if wanted not in skip}
        record["depends"] = sorted(depends - skip)
        todo += record["depends"]
    return found


def check_debian_version(
    requirement: Requirement, debian_python: dict[str, str], debian: dict[str, Any]
) -> None:
    """Raise LockError if Debian's package is asked for in a version that it has not."""
    package = debian_python.get(canonicalize_name(requirement.name))
    if package is None:
        return
    version = re.sub(r"^\d+:|-[^-]*$", "", debian[package]["version"])
    version = re.split(r"[+~]", version)[0]
    if not requirement.specifier.contains(version, prereleases=True):
        raise LockError(
            f"{requirement} is asked for, but on this set {requirement.name} is Debian's {package}, {version}:"
            " allow that version, or use a wheel"
            + (" (psycopg2-binary)." if requirement.name == "psycopg2" else ".")
        )


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    program.run("relock", main)
