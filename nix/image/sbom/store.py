"""Components that nothing but their store path's name tells of."""

from __future__ import annotations

import re
from pathlib import Path

import cpe
import purl
from component import Component

HASH = 33  # characters of a store path's name that are its hash, and a dash


def component(store_path: Path) -> Component:
    """A package by name and version; without a version, files that were made for this image.

    >>> component(Path("/nix/store/00000000000000000000000000000000-openssl-3.5.1-bin")).purl
    'pkg:generic/openssl@3.5.1'
    """
    name, version = split(store_path.name[HASH:])
    if not version:
        return Component(name=name, version="", key=f"path:{name}", type="file", locations=[str(store_path)])
    return Component(
        name=name,
        version=version,
        key=f"generic:{name}",
        purl=purl.generic(name, version),
        cpe=cpe.application(name, version),
        locations=[str(store_path)],
    )


def split(name: str) -> tuple[str, str]:
    """Name and version: the version begins behind the first dash that no letter follows (Nix's parseDrvName).

    The name of an output, which nixpkgs appends, is dropped: the outputs of a package are one component.
    """
    match = re.search(r"-(?=[^a-zA-Z])", name)
    if not match:
        return name, ""
    version = re.sub(r"(-(?!alpha|beta|pre|rc)[a-z_]+)+$", "", name[match.end() :])
    return name[: match.start()], version
