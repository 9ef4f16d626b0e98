#!/usr/bin/env python3
"""Resolve packages.toml and a project's dependencies into lock.json.

usage: relock.py [PYPROJECT...]

apt resolves the Debian packages, so that Debian's signatures are checked; pip resolves the wheels.
Neither touches the machine's own state. The lock names no host: where files come from is the
machine's configuration (or DEBIAN_MIRROR).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

import mirror
from unpack import busybox_nar_hash

HERE = Path(__file__).resolve().parent


def main() -> None:
    settings = tomllib.loads((HERE / "packages.toml").read_text())
    release = settings["debian"]["release"]
    print(f"Resolving Debian packages ({release}) ...", file=sys.stderr)
    debian = resolve_debian(settings["debian"])
    print(f"  {len(debian)} packages. Resolving wheels ...", file=sys.stderr)
    wheels = resolve_wheels(settings, [Path(name) for name in sys.argv[1:]])
    print(f"  {len(wheels)} wheels.", file=sys.stderr)
    lock = {
        "release": release,
        "python": settings["debian"]["python"],
        "busybox": busybox_nar_hash(debian["busybox-static"]),
        "debian": debian,
        "wheels": wheels,
    }
    (HERE / "lock.json").write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n")


def resolve_debian(settings: dict[str, Any]) -> dict[str, Any]:
    """The roots and all they depend on, as {name: {version, path, size, sha256, depends}}."""
    skip = set(settings["not-needed"])
    with mirror.private(settings["release"]) as apt:
        index = apt.index()
    found: dict[str, Any] = {}
    todo = list(settings["roots"])
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = record = index.records[index.real_name(name)]
        depends = {index.real_name(wanted) for wanted in record["depends"] if wanted not in skip}
        record["depends"] = sorted(depends - skip)
        todo += record["depends"]
    return found


def resolve_wheels(settings: dict[str, Any], projects: list[Path]) -> dict[str, Any]:
    """All wheels that the roots and the projects need, as {name: {version, file, sha256, requires}}."""
    debian = settings["wheels"]["debian"]
    wanted = [Requirement(text) for text in settings["wheels"]["roots"]]
    for project in projects:
        wanted += map(Requirement, tomllib.loads(project.read_text())["project"]["dependencies"])
    wanted = [requirement for requirement in wanted if canonicalize_name(requirement.name) not in debian]
    python = settings["debian"]["python"]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--target", scratch, *mirror.pip_platform(python)]
        command += [str(requirement) for requirement in wanted]
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            raise SystemExit(
                "relock: pip could not resolve the wheels (its reason is above). A package that has no wheel "
                "for Linux on x86_64 cannot be used; look for one in Debian (packages.toml, [wheels.debian])."
            )
        installs = json.loads(report.read_text())["install"]
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    wheels = {}
    for item in installs:
        metadata = item["metadata"]
        requires = [Requirement(text) for text in metadata.get("requires_dist", [])]
        wheels[canonicalize_name(metadata["name"])] = {
            "version": metadata["version"],
            "file": item["download_info"]["url"].rsplit("/", 1)[1].replace("%2B", "+"),
            "sha256": item["download_info"]["archive_info"]["hashes"]["sha256"],
            "requires": sorted(
                {
                    canonicalize_name(requirement.name)
                    for requirement in requires
                    if requirement.marker is None or requirement.marker.evaluate(environment)
                }
                - debian.keys()
            ),
        }
    return reachable(wheels, [canonicalize_name(requirement.name) for requirement in wanted])


def reachable(wheels: dict[str, Any], roots: list[str]) -> dict[str, Any]:
    """Only what the roots need: pip evaluates markers for the Python that it runs on, not for ours."""
    found: dict[str, Any] = {}
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = wheels[name]
            todo += wheels[name]["requires"]
    return found


if __name__ == "__main__":
    try:
        main()
    except mirror.MirrorError as error:
        raise SystemExit(f"relock: {error}") from None
