"""Where an image comes from: SLSA provenance v1.0, in an in-toto statement v1.

It says nothing of time, machine or person, so it is as reproducible as the image.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from derivation import Derivation, graph
from nar import nar_sha256

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://nix.dev/manual/nix/latest/command-ref/new-cli/nix3-build"
BUILDER = "https://nixos.org/nix"
COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
NAME = 33  # characters of a store path's name before what it is called


def statement(described: dict[str, Any], digest: str, derivation: Path) -> dict[str, Any]:
    """The statement about an image.

    Args:
        described: its name, revision, source (an address) and system; what is not known is null.
        digest: of its manifest.
        derivation: that which builds the manifest.
    """
    revision, source = described["revision"], described["source"]
    commit = {}
    if revision and COMMIT.fullmatch(revision):
        commit = {"name": "commit", "digest": {"gitCommit": revision}}
        commit |= {"uri": f"git+{source}@{revision}"} if source else {}
    return {
        "_type": STATEMENT,
        "subject": [{"name": described["name"], "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"flake": source, "revision": revision},
                "internalParameters": {"system": described["system"], "derivation": str(derivation)},
                "resolvedDependencies": [commit] * bool(commit) + dependencies(graph(derivation)),
            },
            "runDetails": {"builder": {"id": BUILDER}},
        },
    }


def dependencies(derivations: list[Derivation]) -> list[dict[str, Any]]:
    """All that comes from outside, by name: files that Nix fetches by their hashes, and files of the sources."""
    found = [fetched(each) for each in derivations]
    sources = {path for each in derivations for path in each.sources if not path.endswith(".drv")}
    found += [
        {"name": Path(path).name[NAME:], "digest": {"narSha256": nar_sha256(Path(path))}} for path in sources
    ]
    # The same file may be fetched in several ways.
    once = {(each["name"], *each["digest"].items()): each for each in found if each}
    return [once[key] for key in sorted(once)]


def fetched(derivation: Derivation) -> dict[str, Any]:
    """What a derivation of a known content fetches, or nothing."""
    if derivation.fixed is None:
        return {}
    kind = derivation.fixed.algorithm.removeprefix("r:")
    # Of the archive of a folder, not of a file.
    digest = {f"nar{kind.capitalize()}" if derivation.fixed.is_archive else kind: derivation.fixed.number}
    addresses = (derivation.environment.get("urls") or derivation.environment.get("url") or "").split()
    return {"name": derivation.name, "digest": digest} | ({"uri": addresses[0]} if addresses else {})
