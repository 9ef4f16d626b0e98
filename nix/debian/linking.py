"""linking.py NAME FOLDER PYTHON [LIBRARIES]: whether every library below the folder can be loaded by PYTHON.

They are for another machine, so nothing is run. As the loader would, this looks for the libraries that a file needs, in the
folders that it names, those that PYTHON names and LIBRARIES; and in what it has found, and in PYTHON, for each function that
the file takes from elsewhere. Formats: System V ABI, "Object Files"; Linux Standard Base 5.0, "Symbol Versioning".
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# Kinds of sections, entries of the dynamic section, and what a symbol is that may be missing.
DYNAMIC, DYNSYM, VERDEF, VERNEED, VERSYM = 6, 11, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
NEEDED, RPATH, RUNPATH = 1, 15, 29
WEAK, UNDEFINED = 2, 0
LOCAL_VERSION, HIDDEN = 1, 0x8000

# A function or variable, and its version, "" for none.
Symbol = tuple[str, str]


@dataclass
class Elf:
    """A program or library, as far as the loader reads it."""

    machine: int
    needed: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    has: set[Symbol] = field(default_factory=set)
    wants: set[Symbol] = field(default_factory=set)


class Unfit(Exception):
    """It cannot be loaded; why, as the end of a sentence."""


def main(name: str, folder: str, python: str, *libraries: str) -> int:
    for file in sorted(Path(folder).rglob("*.so*")):
        if not file.is_file() or file.open("rb").read(4) != b"\x7fELF":
            continue
        try:
            check(file, Path(python), [Path(each) for each in libraries])
        except Unfit as error:
            print(
                f"{name} does not fit this set: {file.relative_to(folder)} {error}: ask for another version,"
                " or add the Debian package that it needs with `nixw add --debian PACKAGE`.",
                file=sys.stderr,
            )
            return 1
    return 0


def check(file: Path, python: Path, libraries: list[Path]) -> None:
    """Raise Unfit if PYTHON cannot load the file."""
    program, own = read(python), read(file)
    if own.machine != program.machine:
        raise Unfit(f"is for another machine ({own.machine}, and not {program.machine})")
    further = [*places(program, python), *libraries]
    found = dict.fromkeys([*loaded(file, further), *loaded(python, further)])
    has = {symbol for each in found for symbol in read(each).has}
    names = {name for name, _ in has}
    for name, version in sorted(own.wants):
        # What asks for no version takes any.
        if (name, version) not in has and (version or name not in names):
            raise Unfit(f"wants {name}{version and f' of {version}'}, which none of its libraries has")


def loaded(file: Path, further: list[Path]) -> Iterator[Path]:
    """The file and all that it needs, each once. Raises Unfit."""
    todo, seen = [file], set()
    while todo:
        current = todo.pop(0)
        if current in seen:
            continue
        seen.add(current)
        yield current
        elf = read(current)
        for name in elf.needed:
            folders = [*places(elf, current), *further, current.parent]
            place = next((folder / name for folder in folders if (folder / name).exists()), None)
            if place is None:
                raise Unfit(f"needs {name}, which is nowhere")
            todo.append(place.resolve())


def places(elf: Elf, file: Path) -> list[Path]:
    """The folders in which the file looks for libraries."""
    return [Path(folder.replace("$ORIGIN", str(file.parent))) for folder in elf.folders if folder]


@cache
def read(file: Path) -> Elf:
    """What the file's sections say. Raises Unfit for one that is not of 64 bits, the lower ones first."""
    content = file.read_bytes()
    if content[:6] != b"\x7fELF\x02\x01":
        raise Unfit(f"depends on {file.name}, which is no library of 64 bits")
    (machine,) = struct.unpack_from("<H", content, 18)
    (table,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, table + size * each) for each in range(count)]
    elf, numbers = Elf(machine), b""
    versions: dict[int, str] = {}

    def text(linked: int, offset: int) -> str:
        start = sections[linked][4] + offset
        return content[start : content.index(b"\0", start)].decode()

    for _, kind, _, _, offset, length, linked, information, _, _ in sections:
        if kind == DYNAMIC:
            for tag, value in struct.iter_unpack("<qQ", content[offset : offset + length]):
                if tag == NEEDED:
                    elf.needed.append(text(linked, value))
                elif tag in (RPATH, RUNPATH):
                    elf.folders += text(linked, value).split(":")
        elif kind == VERSYM:
            numbers = content[offset : offset + length]
        elif kind in (VERDEF, VERNEED):
            versions |= {
                number: text(linked, name) for number, name in records(content, kind, offset, information)
            }
    for _, kind, _, _, offset, length, linked, _, _, _ in sections:
        if kind != DYNSYM:
            continue
        entries = struct.iter_unpack("<IBBHQQ", content[offset : offset + length])
        for index, (name, flags, _, section, _, _) in enumerate(entries):
            number = struct.unpack_from("<H", numbers, 2 * index)[0] & ~HIDDEN if numbers else LOCAL_VERSION
            symbol = (text(linked, name), versions.get(number, "") if number > LOCAL_VERSION else "")
            if section != UNDEFINED:
                elf.has.add(symbol)
            elif name and flags >> 4 != WEAK:
                elf.wants.add(symbol)
    return elf


def records(content: bytes, kind: int, offset: int, count: int) -> Iterator[tuple[int, int]]:
    """Number and name of each version that a file defines, or needs of others."""
    for _ in range(count):
        if kind == VERDEF:
            _, _, number, _, _, first, following = struct.unpack_from("<HHHHIII", content, offset)
            yield number, struct.unpack_from("<I", content, offset + first)[0]
        else:
            _, parts, _, first, following = struct.unpack_from("<HHIII", content, offset)
            part = offset + first
            for _ in range(parts):
                _, _, number, name, step = struct.unpack_from("<IHHII", content, part)
                yield number & ~HIDDEN, name
                part += step
        offset += following


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
