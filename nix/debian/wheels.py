"""Wheels as a lock names them. uv resolves them for the set's Python, from the index that the machine's pip knows."""

from __future__ import annotations

import email
import io
import lzma
import os
import re
import struct
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

import seed
from machines import OWN, Machine
from mirror import pip_settings
from program import Refused, one_line
from storepath import fixed_output_path

# pip's settings as uv's variables, and what stands between several values. Command lines are seen by all, and an address
# may hold a password.
VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
}


class LockError(Refused):
    """What is asked for cannot be had; the message is one sentence for a person."""


class Unreachable(LockError):
    """The index does not answer."""


class NoWheel(LockError):
    """What is `wanted` has no wheel."""

    def __init__(self, message: str, wanted: str) -> None:
        super().__init__(message)
        self.wanted = wanted


def resolve_wheels(
    requested: list[Requirement],
    tools: list[Requirement],
    given: Collection[str],
    python: str,
    machine: Machine,
    versions: dict[str, str],
) -> tuple[dict[str, Any], list[str]]:
    """All wheels that are needed, without those `given`: {name: {version, file, sha256, requires, extras}}; and which of
    them only the `tools` need.

    They are in the Nix store then. Of `versions`, by name, no other is taken. Raises LockError and MirrorError.
    """
    wanted = [each for each in [*requested, *tools] if canonicalize_name(each.name) not in given]
    packages = compiled(wanted, given, python, machine=machine, versions=versions)
    wheels = {package["name"]: best_wheel(package, python, machine) for package in packages}
    seed.seed_wheels(seed.missing_wheels(wheels), python)
    needs = {name: requires_dist(wheel) for name, wheel in wheels.items()}
    graph = Graph(needs, given, python, machine)
    needed = graph.reachable([each for each in requested if canonicalize_name(each.name) not in given])
    locked = {
        name: wheels[name]
        | {
            "requires": graph.requires(name),
            "extras": {extra: graph.requires(name, extra) for extra in sorted(graph.extras[name])},
        }
        for name in graph.reachable(wanted)
    }
    return locked, sorted(locked.keys() - set(needed))


def compiled(
    wanted: list[Requirement],
    given: Collection[str],
    python: str,
    constrained: bool = True,
    machine: Machine = OWN,
    versions: dict[str, str] = {},  # noqa: B006 - it is only read
) -> list[dict[str, Any]]:
    """The packages of the pylock.toml (PEP 751) that uv compiles, each with the wheels that fit. Raises LockError."""
    with tempfile.TemporaryDirectory() as folder:
        excludes, pinned = Path(folder, "excludes.txt"), Path(folder, "versions.txt")
        excludes.write_text("".join(f"{name}\n" for name in given))
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        lock = Path(folder, "pylock.toml")
        command = ["pip", "compile", "-", "--output-file", str(lock), "--excludes", str(excludes)]
        command += ["--python-version", python, "--python-platform", machine.platform]
        command += ["--only-binary", ":all:"]
        # They take the place of the constraints that pip is configured with, which they satisfy.
        command += ["--constraints", str(pinned)] if versions else []
        run_uv(command, "".join(f"{requirement}\n" for requirement in wanted), python, constrained, machine)
        return list(tomllib.loads(lock.read_text()).get("packages", []))


def run_uv(
    command: list[str], text: str, python: str, constrained: bool = True, machine: Machine = OWN
) -> None:
    """Run uv with pip's configuration, and the text as its input. Raises LockError.

    Without `constrained`, the constraints that pip is configured with do not count: what is asked for is exact.
    """
    command = ["uv", *command, "--no-config", "--quiet", "--color", "never"]
    command += ["--no-python-downloads", "--python", sys.executable]
    settings = dict(pip_settings())
    if not constrained:
        settings.pop("constraint", None)
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        command += ["--no-index"]
    environment = os.environ | uv_variables(settings)
    result = subprocess.run(
        command, env=environment, input=text, capture_output=True, text=True, errors="replace"
    )
    if result.returncode != 0:
        raise refusal(result.stderr, python, machine)


def markers(python: str, machine: Machine = OWN) -> dict[str, str]:
    """What markers (PEP 508) are evaluated with, where the set's Python and its machine differ from this one's."""
    return {
        "platform_machine": machine.name,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
    }


def uv_variables(settings: dict[str, str]) -> dict[str, str]:
    """The same for uv, which then takes, as pip does, the best version of all indexes."""
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}
    for setting, (variable, separator) in VARIABLES.items():
        if values := settings.get(setting, "").split():
            found[variable] = separator.join(values)
    return found


def best_wheel(package: dict[str, Any], python: str, machine: Machine = OWN) -> dict[str, str]:
    """Version, file name and SHA-256 of the wheel that fits the machine best, of those that fit. Raises LockError."""
    version = tuple(map(int, python.split(".")))
    platforms = machine.platforms
    tags = [*cpython_tags(version, platforms=platforms), *compatible_tags(version, "cp", platforms)]
    order = {tag: place for place, tag in enumerate(tags)}
    found = []
    for wheel in package.get("wheels", []):
        file = urllib.parse.unquote((wheel.get("url") or wheel["path"]).rsplit("/", 1)[-1])
        place = min((order.get(tag, len(order)) for tag in tags_of(file)), default=len(order))
        if "sha256" in wheel.get("hashes", {}) and place < len(order):
            found.append((place, file, wheel["hashes"]["sha256"]))
    if not found:
        raise LockError(
            f"The Python index gives no wheel of {package['name']} {package['version']} with a SHA-256, and a lock needs"
            " it: ask for another version, or put a wheel of it into debian/wheels."
        )
    _, file, sha256 = min(found)
    return {"version": package["version"], "file": file, "sha256": sha256}


def tags_of(file: str) -> frozenset[Tag]:
    """What a wheel is for; nothing, if its name does not say so."""
    try:
        return parse_wheel_filename(file)[3]
    except InvalidWheelFilename:
        return frozenset()


def requires_dist(wheel: dict[str, str]) -> list[Requirement]:
    """What the wheel, which is in the store, says that it needs. Raises LockError."""
    content = io.BytesIO(Path(fixed_output_path(wheel["file"], wheel["sha256"])).read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            names = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            fields = email.message_from_bytes(archive.read(next(names)))
        return [Requirement(str(text)) for text in fields.get_all("Requires-Dist", [])]
    except StopIteration:
        reason = "it has no METADATA"
    except InvalidRequirement as error:
        reason = f"a line Requires-Dist: {one_line(error)}"
    # Whatever zipfile, and what decompresses for it, raise.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error) as error:
        reason = one_line(error)
    except (OSError, EOFError, ValueError, RuntimeError) as error:
        reason = one_line(error)
    raise LockError(
        f"The Python index gives as {wheel['file']} what is no wheel ({reason}): ask for another version."
    )


def applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    """Whether the requirement's condition holds. Raises LockError for one that means nothing."""
    try:
        return requirement.marker is None or requirement.marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as error:
        raise LockError(f"The condition of {requirement} cannot be read: {one_line(error)}") from None


class Graph:
    """Who needs whom, of what uv resolved; `extras` has those that were asked for, by package."""

    def __init__(
        self,
        needs: dict[str, list[Requirement]],
        given: Collection[str],
        python: str,
        machine: Machine = OWN,
    ) -> None:
        self._needs, self._given, self._markers = needs, given, markers(python, machine)
        self.extras: dict[str, set[str]] = {name: set() for name in needs}

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
            name: str = canonicalize_name(requirement.name)
            self.extras.setdefault(name, set())
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
        name: str = canonicalize_name(requirement.name)
        if name in self._given:
            return set()
        if name not in self._needs:
            raise LockError(
                f"A wheel says that it needs {requirement}, and the Python index did not: ask for another version."
            )
        found = {name}
        for extra in requirement.extras:
            if f"{name}[{extra}]" in seen:
                continue
            for further in self._edges(name, extra):
                found |= self._spelt_out(further, seen | {f"{name}[{extra}]"})
        return found

    def _edges(self, name: str, extra: str) -> list[Requirement]:
        found = []
        for requirement in self._needs[name]:
            always, with_extra = (
                applies(requirement, self._markers | {"extra": asked}) for asked in ("", extra)
            )
            if with_extra and (not extra or not always):
                found.append(requirement)
        return found


def refusal(errors: str, python: str, machine: Machine = OWN) -> LockError:
    """uv's reason as one sentence that says what to do."""
    text = " ".join(errors.split("\nhint:")[0].split())
    # Reasons that come later are those of single versions in a conflict.
    if unknown := re.search(r"cause: Because (\S+) was not found in the (?:package registry|provided)", text):
        return LockError(
            f"The Python index has no package {canonicalize_name(unknown[1])}: correct its name."
        )
    if version := re.search(r"cause: Because there is no version of (\S+)", text):
        return LockError(
            f"The Python index has no {version[1]}: correct the version, or configure pip with the index that has it."
        )
    if without := re.search(r"cause: Because (?:all versions of )?(\S+) ha(?:s|ve) no usable wheels", text):
        wanted = without[1]
        name = canonicalize_name(re.split(r"[<>=!~]", wanted)[0])
        return NoWheel(
            f"{wanted} has no wheel for Python {python} on {machine.name} Linux, only a source distribution or wheels for other"
            " systems, and only what a project's own lock (uv.lock, pylock.toml) names is compiled: make a wheel with"
            f" `python3 -m pip wheel --no-deps --wheel-dir debian/wheels '{wanted}'`, take Debian's package, if there is"
            f" one, with `nixw add --debian {name}=python3-{name.removeprefix('python-')}`, or do without it.",
            wanted,
        )
    if re.search(r"error sending request|Request failed|Could not connect", text):
        return Unreachable("The Python index that pip is configured with cannot be reached.")
    reasons = text.removeprefix("error: ").partition(" cause: ")
    reason = (reasons[2] or reasons[0] or "no reason given").rstrip(".:")
    # Addresses may hold a password.
    return LockError(f"uv could not resolve the wheels: {re.sub(r'//[^/@ ]*@', '//', reason)}.")
