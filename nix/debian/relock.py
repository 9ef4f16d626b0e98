#!/usr/bin/env python3
"""Resolve a packages.toml and a project's dependencies into the lock.json beside it.

usage: relock.py FOLDER [LOCK]

FOLDER is nix/debian, or another project's folder `debian`, whose packages.toml says what that project adds; LOCK is
another file to write. apt resolves the Debian packages, so that Debian's signatures are checked; pip resolves the
wheels. Neither touches the machine's own state. The lock names no host: where files come from is the machine's
configuration (or DEBIAN_MIRROR).
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
from pathlib import Path
from typing import Any

from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.utils import canonicalize_name

import mirror
from pip_for import environment
from unpack import busybox_nar_hash

HERE = Path(__file__).resolve().parent


class LockError(Exception):
    """What is asked for cannot be had; the message is one sentence for a person."""


def main(folder: str, lock: str = "") -> None:
    relock(Path(folder), Path(lock or f"{folder}/lock.json"))


def relock(folder: Path, lock: Path) -> None:
    """Write the lock. Raises LockError and MirrorError."""
    settings = read_settings(folder)
    debian_python = settings["wheels"]["debian"]
    wanted = requirements(settings, folder)
    say("Resolving wheels ...")
    wheels = resolve_wheels(settings, wanted)
    say(f"  {len(wheels)} wheels. Resolving Debian packages ({settings['debian']['release']}) ...")
    debian = resolve_debian(settings["debian"], [*debian_python.values()])
    say(f"  {len(debian)} packages.")
    for requirement in wanted:
        check_debian_version(requirement, debian_python, debian)
    content = {
        "release": settings["debian"]["release"],
        "python": settings["debian"]["python"],
        "busybox": busybox_nar_hash(debian["busybox-static"]),
        "debian": debian,
        "debian-python": debian_python,
        "added": settings["debian"]["added"],
        "wheels": wheels,
    }
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_settings(folder: Path) -> dict[str, Any]:
    """The set's own packages.toml, with what another project's adds to it."""
    settings = read_toml(HERE / "packages.toml")
    wheels = settings["wheels"]
    if folder.resolve() == HERE:
        settings["debian"]["added"] = []
        return settings
    added = read_toml(folder / "packages.toml") if (folder / "packages.toml").exists() else {}
    # What its Python packages load, or its application runs.
    settings["debian"]["added"] = sorted(added.get("debian", {}).get("roots", []))
    settings["debian"]["roots"] += settings["debian"]["added"]
    wheels["roots"] = added.get("wheels", {}).get("roots", [])
    wheels["debian"] |= added.get("wheels", {}).get("debian", {})
    wheels["projects"] = added.get("wheels", {}).get("projects", ["../pyproject.toml"])
    return settings


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise LockError(f"There is no {path}: write one, or make it with `nixw add PACKAGE`.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LockError(f"{path} cannot be read: {error}.") from None


def requirements(settings: dict[str, Any], folder: Path) -> list[Requirement]:
    """What the roots and the projects ask for on this set's Python."""
    texts = settings["wheels"]["always"] + settings["wheels"]["roots"]
    for project in settings["wheels"]["projects"]:
        path = Path(project) if Path(project).is_absolute() else folder / project
        texts += project_dependencies(path)
    markers = environment(settings["debian"]["python"])
    try:
        found = [Requirement(text) for text in texts]
    except InvalidRequirement as error:
        raise LockError(f"A requirement cannot be read: {' '.join(str(error).split())}.") from None
    for requirement in found:
        if requirement.url:
            raise LockError(
                f"{requirement.name} is asked for by address, which a lock cannot hold: name a version, or put a"
                " wheel of it into debian/wheels."
            )
    return [each for each in found if each.marker is None or each.marker.evaluate(markers)]


def project_dependencies(path: Path) -> list[str]:
    """[project] dependencies of a pyproject.toml."""
    project = read_toml(path).get("project", {})
    dependencies = project.get("dependencies")
    if not isinstance(dependencies, list):
        raise LockError(
            f"{path} has no [project] table with `dependencies`: list there what the image needs, for nothing else is read."
        )
    return dependencies


def resolve_debian(settings: dict[str, Any], more: list[str]) -> dict[str, Any]:
    """The roots and all they depend on, as {name: {version, path, size, sha256, depends}}."""
    with mirror.private(settings["release"]) as apt:
        index = apt.index()
    skip = set(settings["not-needed"])
    found: dict[str, Any] = {}
    todo = [*settings["roots"], *more]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = record = index.records[index.real_name(name)]
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


def resolve_wheels(settings: dict[str, Any], requested: list[Requirement]) -> dict[str, Any]:
    """All wheels that are needed, as {name: {version, file, sha256, requires, extras}}."""
    debian = settings["wheels"]["debian"]
    wanted = [each for each in requested if canonicalize_name(each.name) not in debian]
    python = settings["debian"]["python"]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, str(HERE / "pip_for.py"), python, "install", "-qq", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), "--target", scratch]
        command += mirror.pip_platform(python)
        command += [str(requirement).split(";")[0] for requirement in wanted]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise LockError(refusal(result.stderr, python))
        installs = json.loads(report.read_text())["install"]
    packages = {canonicalize_name(item["metadata"]["name"]): item for item in installs}
    graph = Graph(packages, debian.keys(), environment(python))
    return {
        name: {
            "version": packages[name]["metadata"]["version"],
            "file": packages[name]["download_info"]["url"].rsplit("/", 1)[1].replace("%2B", "+"),
            "sha256": digest(name, packages[name]["download_info"]),
            "requires": graph.requires(name),
            "extras": {extra: graph.requires(name, extra) for extra in sorted(graph.extras[name])},
        }
        for name in graph.reachable(wanted)
    }


def digest(name: str, download: dict[str, Any]) -> str:
    """The wheel's SHA-256: pip gives none of a file in a folder. Raises LockError if there is none."""
    address = urllib.parse.urlsplit(download["url"])
    if address.scheme == "file":
        return hashlib.sha256(Path(urllib.parse.unquote(address.path)).read_bytes()).hexdigest()
    try:
        return str(download["archive_info"]["hashes"]["sha256"])
    except KeyError:
        raise LockError(
            f"The Python index gives no SHA-256 of {name}, and a lock needs it: ask for another version, or put a wheel"
            " of it into debian/wheels."
        ) from None


class Graph:
    """Who needs whom, of what pip resolved; `extras` has those that were asked for, by package."""

    def __init__(self, packages: dict[str, Any], given: Any, markers: dict[str, str]) -> None:
        self._packages, self._given, self._markers = packages, set(given), markers
        self.extras: dict[str, set[str]] = {name: set() for name in packages}

    def requires(self, name: str, extra: str = "") -> list[str]:
        """Names that the package needs; with `extra`, those that this adds. Extras of theirs are spelt out."""
        found: set[str] = set()
        for requirement in self._edges(name, extra):
            found |= self._spelt_out(requirement, {name})
        found.discard(name)
        return sorted(found - (set(self.requires(name)) if extra else set()))

    def reachable(self, wanted: list[Requirement]) -> list[str]:
        """Only what the roots need, sorted."""
        todo: list[str] = []
        for requirement in wanted:
            name = canonicalize_name(requirement.name)
            self.extras[name] |= {canonicalize_name(extra) for extra in requirement.extras}
            todo += self._spelt_out(requirement, set())
        found: set[str] = set()
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.requires(name)
        return sorted(found)

    def _spelt_out(self, requirement: Requirement, seen: set[str]) -> set[str]:
        name = canonicalize_name(requirement.name)
        if name in self._given:
            return set()
        found = {name}
        for extra in requirement.extras:
            if f"{name}[{extra}]" in seen:
                continue
            for further in self._edges(name, extra):
                found |= self._spelt_out(further, seen | {f"{name}[{extra}]"})
        return found

    def _edges(self, name: str, extra: str) -> list[Requirement]:
        found = []
        for text in self._packages[name]["metadata"].get("requires_dist", []):
            requirement = Requirement(text)
            always = requirement.marker is None or requirement.marker.evaluate(self._markers | {"extra": ""})
            with_extra = requirement.marker is not None and requirement.marker.evaluate(
                self._markers | {"extra": extra}
            )
            if (always and not extra) or (with_extra and extra and not always):
                found.append(requirement)
        return found


def refusal(errors: str, python: str) -> str:
    """pip's reason as one sentence that says what to do."""
    system = f"Python {python} on x86_64 Linux"
    missing = re.search(r"^ERROR: No matching distribution found for (.+)$", errors, re.MULTILINE)
    if missing is None:
        reasons = re.findall(r"^ERROR: (.+)$", errors, re.MULTILINE)
        if "Retrying" in errors or "ConnectionError" in errors:
            return "The Python index that pip is configured with cannot be reached."
        conflict = re.findall(r"^    (.+ depends on .+|The user requested .+)$", errors, re.MULTILINE)
        reason = (reasons[0] if reasons else "no reason given").rstrip(".:")
        return f"pip could not resolve the wheels: {reason}{': ' + '; '.join(conflict) if conflict else ''}."
    wanted = missing[1].strip()
    name = canonicalize_name(re.split(r"[\s<>=!~\[;(]", wanted)[0])
    versions = re.search(r"\(from versions: (?!none)([^)]+)\)", errors)
    if versions:
        known = versions[1].split(", ")
        return f"{wanted} is asked for, and for {system} there are wheels of {', '.join(known[-8:])} only: ask for one of these."
    if "Retrying" in errors:
        return "The Python index that pip is configured with cannot be reached."
    command = [sys.executable, "-m", "pip", "index", "versions", "--python-version", python, name]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return f"The Python index has no package {name}: correct its name."
    return (
        f"{wanted} has no wheel for {system}, only a source distribution or wheels for other systems, and nothing is"
        f" compiled here: make a wheel with `python3 -m pip wheel --no-deps --wheel-dir debian/wheels '{wanted}'`, take"
        f" Debian's package, if there is one, with `nixw add --debian {name}=python3-{name.removeprefix('python-')}`, or do"
        " without it."
    )


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (LockError, mirror.MirrorError) as error:
        raise SystemExit(f"relock: {error}") from None
