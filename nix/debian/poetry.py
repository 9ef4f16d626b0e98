"""poetry.lock as the packages of a pylock.toml (PEP 751): the same versions, files and hashes, under the same conditions."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from pins import hidden
from wheels import LockError

MAIN = "main"
SOURCES = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")


def translate(file: Path, folder: Path) -> dict[str, Any]:
    """The content of a pylock.toml that is to lie in the folder. Raises LockError."""
    try:
        lock = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LockError(f"{file.name} cannot be read: {' '.join(str(error).split())}.") from None
    try:
        return content(lock, file, folder)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise LockError(
            f"{file.name} is not as Poetry writes it ({type(error).__name__}: {error}): run `poetry lock`."
        ) from None


def content(lock: dict[str, Any], file: Path, folder: Path) -> dict[str, Any]:
    """The content of a pylock.toml, of a lock's. Raises LockError for a version of Poetry's that cannot be read."""
    version = lock["metadata"]["lock-version"]
    if version in ("1.0", "1.1", "2.0"):
        raise LockError(
            f"{file.name} has the lock version {version}, which does not say what is for which group: `poetry lock` of"
            " Poetry 2 writes it anew, and keeps the versions."
        )
    if not re.fullmatch(r"2\.[1-9][0-9]*", version):
        raise LockError(f"{file.name} has the lock version {version}, and only 2.1 can be read.")
    names = {canonicalize_name(package["name"]) for package in lock.get("package", [])}
    check_age(names, file)
    groups = {group for package in lock.get("package", []) for group in package["groups"]}
    head: dict[str, Any] = {}
    if python := specifier(lock["metadata"].get("python-versions", "*")):
        head["requires-python"] = python
    head["extras"] = sorted(canonicalize_name(extra) for extra in lock.get("extras", {}))
    head["dependency-groups"] = sorted(canonicalize_name(group) for group in groups - {MAIN})
    head["packages"] = [
        entry(package, names, os.path.relpath(file.parent, folder)) for package in lock.get("package", [])
    ]
    return head


def check_age(names: Collection[str], file: Path) -> None:
    """Raise LockError if the lock lacks what Poetry's own table in pyproject.toml asks for."""
    try:
        tool = tomllib.loads(file.with_name("pyproject.toml").read_text()).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return  # which is said when the image is built
    for name in tool.get("poetry", {}).get("dependencies", {}):
        if name != "python" and canonicalize_name(name) not in names:
            raise LockError(
                f"{file.name} is older than pyproject.toml: it does not have {name}; run `poetry lock`."
            )


def entry(package: dict[str, Any], names: Collection[str], base: str) -> dict[str, Any]:
    """One package; `base` leads from the pylock.toml to what paths are relative to."""
    made: dict[str, Any] = {"name": canonicalize_name(package["name"]), "version": package["version"]}
    if marker := condition(package):
        made["marker"] = marker
    needs = [canonicalize_name(name) for name in package.get("dependencies", {})]
    if found := [{"name": name} for name in sorted(set(needs)) if name in names]:
        made["dependencies"] = found
    source = package.get("source", {})
    files = [file_entry(file) for file in package["files"]]
    match source.get("type"):
        case None | "legacy":
            if source:
                made["index"] = hidden(source["url"])
            made["wheels"] = [file for file in files if file["name"].endswith(".whl")]
            sdists = [file for end in SOURCES for file in files if file["name"].endswith(end)]
            made |= {"sdist": sdists[0]} if sdists else {}
        case "git":
            made["vcs"] = {
                "type": "git",
                "url": hidden(source["url"]),
                "commit-id": source["resolved_reference"],
            }
            if "subdirectory" in source:
                made["vcs"]["subdirectory"] = source["subdirectory"]
        case "directory":
            made["directory"] = {"path": os.path.normpath(os.path.join(base, source["url"]))}
        case "file":
            made["archive"] = {
                "path": os.path.normpath(os.path.join(base, source["url"])),
                "hashes": files[0]["hashes"],
            }
        case "url":
            made["archive"] = {"url": hidden(source["url"]), "hashes": files[0]["hashes"]}
        case other:
            raise LockError(
                f"poetry.lock has {package['name']} from a source of type {other}, which is not known."
            )
    return made


def file_entry(file: dict[str, str]) -> dict[str, Any]:
    """A file by its name and hash. Raises LockError for what is no hash."""
    found = re.fullmatch(r"([a-z0-9_]+):([0-9a-fA-F]+)", file["hash"])
    if found is None:
        raise LockError(
            f"poetry.lock has for {file['file']} the hash {file['hash']!r}, which is none: run `poetry lock`."
        )
    return {"name": file["file"], "hashes": {found[1]: found[2]}}


def condition(package: dict[str, Any]) -> str | None:
    """Under which condition it is installed: its groups' and their markers'; None: always."""
    markers = package.get("markers", {})
    parts = []
    for group in package["groups"]:
        marker = markers if isinstance(markers, str) else markers.get(group, "")
        conditions = [translated(marker, package["name"])] if marker else []
        if group != MAIN:
            conditions.insert(0, f"'{canonicalize_name(group)}' in dependency_groups")
        if not conditions:
            return None
        parts.append(" and ".join(conditions))
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def translated(marker: str, name: str) -> str:
    """The marker in parentheses, with extras as a lock says them: `extra == "s3"` is `'s3' in extras`."""
    try:
        Marker(marker)
    except InvalidMarker:
        raise LockError(
            f"poetry.lock has for {name} the condition {marker!r}, which is no marker: run `poetry lock`."
        ) from None
    extra = r"""(?:extra\s*==\s*(["'])(?P<right>[^"']+)\1|(["'])(?P<left>[^"']+)\3\s*==\s*extra\b)"""
    said = re.sub(
        extra, lambda found: f"'{canonicalize_name(found['right'] or found['left'])}' in extras", marker
    )
    return f"({said})"


def specifier(text: str) -> str | None:
    """Poetry's range of Pythons as PEP 440 has it; None where that cannot say it."""
    clauses = []
    for clause in re.split(r"\s*,\s*|\s+(?=[<>=!~^])", text.strip()):
        found = re.fullmatch(r"([\^~])\s*(\d+(?:\.\d+)*)", clause)
        if found is None:
            clauses.append(clause)
            continue
        numbers = [int(number) for number in found[2].split(".")]
        upper = numbers[:1] if found[1] == "^" or len(numbers) == 1 else numbers[:2]
        upper[-1] += 1
        clauses.append(f">={found[2]},<{'.'.join(map(str, upper))}")
    try:
        return str(SpecifierSet(",".join(clauses))) or None
    except InvalidSpecifier:
        return None
