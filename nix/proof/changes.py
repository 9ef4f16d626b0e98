"""What has changed from one image to another."""

from __future__ import annotations

from typing import Any, NamedTuple

from facts import Facts


class Change(NamedTuple):
    """What was added has no `old`, what was removed no `new`."""

    name: str
    old: str | None
    new: str | None


class Changes(NamedTuple):
    """Sizes are bytes. What neither image tells of is None.

    `pull` is what a node must fetch that has the old image: the layers that are not among that one's, and the configuration.
    """

    old: Facts
    new: Facts
    pull_layers: int
    pull: int
    packages: list[Change] | None
    variables: list[Change] | None
    exit_codes: list[Change] | None


def changes(old: Facts, new: Facts) -> Changes:
    """Whatever has changed from the image with the facts `old` to that with `new`."""
    return Changes(
        old,
        new,
        pull_layers=len(set(new.layers) - set(old.layers)),
        pull=sum(size for digest, size in new.blobs.items() if digest not in old.blobs),
        packages=changed(old.packages, new.packages),
        variables=changed(old.variables, new.variables),
        exit_codes=changed(old.exit_codes, new.exit_codes),
    )


def changed(old: dict[str, str] | None, new: dict[str, str] | None) -> list[Change] | None:
    """By name; None if one of the two is not known."""
    if old is None or new is None:
        return None
    return [
        Change(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def as_json(found: Changes) -> dict[str, Any]:
    """For programs; docs/verify.md lists the keys."""

    def side(facts: Facts) -> dict[str, Any]:
        return {
            "version": facts.version,
            "revision": facts.revision,
            "platform": facts.platform,
            "layers": len(facts.layers),
            "compressed": sum(facts.blobs.values()),
            "unpacked": facts.unpacked,
        }

    def listed(changes: list[Change] | None) -> list[dict[str, str | None]] | None:
        return None if changes is None else [change._asdict() for change in changes]

    return {
        "old": side(found.old),
        "new": side(found.new),
        "pull": {"layers": found.pull_layers, "bytes": found.pull},
        "packages": listed(found.packages),
        "variables": listed(found.variables),
        "exit_codes": listed(found.exit_codes),
    }
