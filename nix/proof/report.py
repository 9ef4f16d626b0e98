"""Changes from one image to another, for people: as text, or as Markdown for a pull request."""

from __future__ import annotations

from changes import Change, Changes
from facts import Facts
from outcome import printable

UNKNOWN = "one of the two images does not say"


def text(found: Changes) -> str:
    lines = [f"old: {described(found.old)}", f"new: {described(found.new)}", "", *sizes(found)]
    for title, changes in listed(found):
        lines += ["", f"{title}:"]
        lines += (
            [f"  {UNKNOWN}"] if changes is None else [f"  {line(each)}" for each in changes] or ["  the same"]
        )
    return "\n".join(map(printable, lines))


def markdown(found: Changes) -> str:
    lines = ["| | old | new |", "|---|---|---|"]
    lines += [f"| {name} | {old} | {new} |" for name, old, new in table(found)]
    lines += ["", *sizes(found)[-1:]]
    for title, changes in listed(found):
        lines += ["", f"**{title}**", ""]
        if not changes:
            lines.append(f"{UNKNOWN if changes is None else 'the same'}")
            continue
        lines += ["| | old | new |", "|---|---|---|"]
        lines += [f"| {escaped(each.name)} | {escaped(each.old)} | {escaped(each.new)} |" for each in changes]
    return "\n".join(map(printable, lines))


def listed(found: Changes) -> list[tuple[str, list[Change] | None]]:
    return [("packages", found.packages), ("variables", found.variables), ("exit codes", found.exit_codes)]


def table(found: Changes) -> list[tuple[str, str, str]]:
    old, new = found.old, found.new
    return [
        ("version", escaped(old.version), escaped(new.version)),
        ("revision", escaped(old.revision), escaped(new.revision)),
        ("platform", escaped(old.platform), escaped(new.platform)),
        ("layers", str(len(old.layers)), str(len(new.layers))),
        ("in a registry", shown(sum(old.blobs.values())), shown(sum(new.blobs.values()))),
        ("unpacked", shown(old.unpacked), shown(new.unpacked)),
    ]


def sizes(found: Changes) -> list[str]:
    """The last line is what a node must pull."""
    both = [(name, old if old == new else f"{old} -> {new}") for name, old, new in table(found)[3:]]
    pull = f"{found.pull_layers} of {len(found.new.layers)} layers, {shown(found.pull)}"
    return [f"{name}: {size}" for name, size in [*both, ("to pull, on a node that has the old one", pull)]]


def described(facts: Facts) -> str:
    return ", ".join(filter(None, [facts.version, facts.revision, facts.platform]))


def line(change: Change) -> str:
    if change.old is None:
        return f"+ {change.name} ({change.new})"
    if change.new is None:
        return f"- {change.name} ({change.old})"
    return f"  {change.name}: {change.old} -> {change.new}"


def shown(size: int) -> str:
    """Bytes, in the unit that people would take."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def escaped(cell: str | None) -> str:
    """What stands in a table's cell: nothing of it may end the cell, or be taken for Markdown or HTML."""
    if not cell:
        return ""
    return f"`{' '.join(cell.replace('|', '/').replace('`', "'").split())}`"
