"""Where an image differs from what was built: the layer, the file, and the store path whose inputs are others."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from layers import name_of, opened
from outcome import Stop

STORE_PATH = re.compile(r"(nix/store/([0-9a-df-np-sv-z]{32})-[^/]+)(?:/|$)")
NAME = 33  # characters of a store path's name before what it is called
HASHES = re.compile(rb"[0-9a-df-np-sv-z]{32}")
CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A file in a layer, as far as it matters; `content` is a SHA-256."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    time: float
    target: str
    content: str


@dataclass(frozen=True)
class Layer:
    """An unpacked layer: its files, and for each store path the hashes of store paths that occur in it."""

    entries: dict[str, Entry]
    references: dict[str, set[str]]


def read_layer(file: Path) -> Layer:
    """Raises Stop if it is none."""
    entries: dict[str, Entry] = {}
    references: dict[str, set[str]] = {}
    with opened(file) as archive:
        for member in archive:
            name = name_of(member)
            digest, found = (
                hashlib.sha256(),
                {part.decode() for part in HASHES.findall(member.linkname.encode())},
            )
            if content := archive.extractfile(member) if member.isreg() else None:
                before = b""
                while chunk := content.read(CHUNK):
                    digest.update(chunk)
                    found |= {part.decode() for part in HASHES.findall(before + chunk)}
                    before = chunk[-31:]
            entries[name] = Entry(
                member.type,
                member.mode,
                (member.uid, member.gid),
                member.mtime,
                member.linkname,
                digest.hexdigest(),
            )
            if path := STORE_PATH.match(name):
                references.setdefault(path[1], set()).update(found)
    return Layer(entries, references)


def difference(theirs: list[Path], ours: list[Path]) -> str:
    """Which layer differs, which file in it, and why, as the rest of a sentence that began with "it is not that".

    Args:
        theirs: the image's layers, unpacked, each named by its digest.
        ours: what was built, likewise.
    """
    if [file.name for file in theirs] == [file.name for file in ours]:
        return ""
    if len(theirs) != len(ours):
        return f"it has {len(theirs)} layers instead of {len(ours)}"
    number = next(n for n, (a, b) in enumerate(zip(theirs, ours, strict=True), 1) if a.name != b.name)
    where = f"layer {number} of {len(ours)} differs"
    try:
        found = read_layer(theirs[number - 1])
    except Stop as stop:
        return f"{where}: it cannot be read ({stop})"
    built = read_layer(ours[number - 1])
    files = sorted(
        name
        for name in found.entries.keys() | built.entries.keys()
        if found.entries.get(name) != built.entries.get(name)
    )
    if not files:
        return f"{where}, in the order of its files or what lies between them"
    return f"{where}, {cause(found, built) or file_cause(files, found, built)}"


def cause(found: Layer, built: Layer) -> str:
    """The store path that was built from other inputs: of those that only the image has, one that needs none of them."""
    others = {path: path[10 : 10 + NAME - 1] for path in found.references.keys() - built.references.keys()}
    missing = sorted(built.references.keys() - found.references.keys())
    if not others:
        return f"which has no /{missing[0]}" if missing else ""
    hashes = set(others.values())
    roots = [path for path in others if not (found.references[path] & hashes) - {others[path]}]
    path = min(roots or others, key=lambda each: each[10 + NAME :])
    called = path[10 + NAME :]
    # The same package, whatever its version.
    stem = re.split(r"-(?=[^a-zA-Z])", called)[0]
    same = [each for each in missing if each[10 + NAME :] == called]
    same += [each for each in missing if re.split(r"-(?=[^a-zA-Z])", each[10 + NAME :])[0] == stem]
    if not same:
        return f"which has /{path}"
    inputs = "of other inputs " if same[0][10 + NAME :] == called else ""
    return f"which has /{path} {inputs}instead of /{same[0]}"


def file_cause(files: list[str], found: Layer, built: Layer) -> str:
    """A file that differs, although the store path that it is in has the same inputs."""
    name = files[0]
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    if name not in built.entries:
        return f"which has {name}{more}"
    if name not in found.entries:
        return f"which has no {name}{more}"
    what = (
        "its content"
        if found.entries[name].content != built.entries[name].content
        else "its owner, mode or time"
    )
    return f"in {name}{more}: {what}"


def configuration(theirs: dict[str, object], ours: dict[str, object]) -> str:
    """Which part of the configuration differs, by name: values are not repeated."""
    for part in sorted(theirs.keys() | ours.keys()):
        a, b = theirs.get(part), ours.get(part)
        if isinstance(a, dict) and isinstance(b, dict) and a != b:
            part += "." + next(key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key))
        if a != b:
            return f"its configuration differs, in {part}"
    return ""
