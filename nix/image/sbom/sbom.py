"""The bill of materials of an image: what is in it, found in the store paths that it is made of.

usage: sbom.py PROJECT STORE_PATHS OUT

PROJECT is JSON about the image and its application; STORE_PATHS lists the image's store paths, a line each; OUT is the
CycloneDX document to write.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debian
import purl
import python
import store
from component import Component
from document import document


def main(project: str, store_paths: str, out: str) -> None:
    described = json.loads(Path(project).read_text())
    files = {Path(file["path"]): file for file in described["files"]}
    paths = [Path(line) for line in sorted(Path(store_paths).read_text().split())]
    os_release = release_of(paths)
    Path(out).write_text(
        document(
            image(described),
            application(described),
            operating_system(os_release),
            [*parts(paths, os_release, files)],
        )
    )


def parts(
    paths: list[Path], os_release: dict[str, str], files: dict[Path, dict[str, str]]
) -> Iterator[Component]:
    """What the store paths are: a distribution's packages, Python distributions, or else what their names say."""
    licences = debian.licences_by_source(paths)
    for path in paths:
        packages = list(debian.components(path, os_release, licences))
        distributions = list(python.components(path, files.get(path)))
        for distribution in distributions:
            # One that came in a distribution's package is both.
            distribution.requires |= {package.key for package in packages}
        yield from packages + distributions or [store.component(path)]


def image(project: dict[str, Any]) -> Component:
    return Component(
        name=project["image"],
        version=project.get("version") or "",
        key="image",
        type="container",
        description=project.get("description") or "",
    )


def application(project: dict[str, Any]) -> Component:
    """The project itself, which lies in /app; it is not one of the index's distributions, whatever its name."""
    name, version = project["name"], project.get("version") or ""
    licence = project.get("license")
    return Component(
        name=name,
        version=version,
        key="application",
        type="application",
        purl=purl.generic(name, version),
        description=project.get("description") or "",
        licences=[{"expression": licence}] if isinstance(licence, str) else [],
        locations=["/app"],
        requires={python.key(text) for text in project["dependencies"]},
    )


def release_of(paths: list[Path]) -> dict[str, str]:
    """The fields of the distribution's os-release (os-release(5)), or none where there is no distribution."""
    for path in paths:
        file = path / "share/os-release"
        if file.is_file():
            pairs = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
            return {key: value.strip("\"'") for key, _, value in pairs}
    return {}


def operating_system(os_release: dict[str, str]) -> Component | None:
    if not os_release:
        return None
    return Component(
        name=os_release["ID"],
        version=os_release.get("VERSION_ID", ""),
        key="operating-system",
        type="operating-system",
        description=os_release.get("PRETTY_NAME", ""),
        locations=["/etc/os-release"],
    )


main(*sys.argv[1:])
