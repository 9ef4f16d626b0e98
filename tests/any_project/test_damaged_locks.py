"""2 000 damaged locks: each is refused in a sentence, or what is read of it is what it says. Needs `nix-instantiate`."""

from __future__ import annotations

import json
import random
import re
import shutil
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.any_project.locks import LOCKS, evaluate, expression

NUMBER = 2000
# An evaluation reads many, and ends at the first that no expression can catch: such are looked at one by one.
BATCH = 100
FILES = [
    (folder, file)
    for folder in sorted(LOCKS.iterdir())
    for file in ("uv.lock", "pylock.toml", "pylock.build.toml")
    if (folder / file).exists()
]
VALUES = [
    '""',
    "1",
    "[]",
    "{ }",
    "true",
    '"x"',
    "[1]",
    '"../../etc"',
    '["x"]',
    "{ name = 1 }",
    "[{ }]",
    "-1",
    "1.5",
]


def damaged(text: str, chance: random.Random) -> str:
    """The text with one to three faults, as a merge, an editor or a disk makes them."""
    for _ in range(chance.randint(1, 3)):
        lines = text.splitlines(keepends=True) or ["\n"]
        place = chance.randrange(len(lines))
        match chance.randrange(8):
            case 0:
                del lines[place]
            case 1:
                lines.insert(place, lines[chance.randrange(len(lines))])
            case 2:
                other = chance.randrange(len(lines))
                lines[place], lines[other] = lines[other], lines[place]
            case 3:
                lines[place] = re.sub(r"= .*$", lambda _: f"= {chance.choice(VALUES)}", lines[place])
            case 4:
                # One key in a table of one line.
                keys = list(re.finditer(r"\b[a-z-]+ = (\"[^\"]*\"|\{[^{}]*\}|\[[^\[\]]*\])", lines[place]))
                if keys:
                    key = chance.choice(keys)
                    new = chance.choice(
                        [
                            "",
                            f"odd = {chance.choice(VALUES)}",
                            key[0].split(" = ")[0] + f" = {chance.choice(VALUES)}",
                        ]
                    )
                    lines[place] = lines[place][: key.start()] + new + lines[place][key.end() :]
            case 5:
                at = chance.randrange(len(lines[place]))
                lines[place] = lines[place][:at] + chance.choice('x0"[]{}=,.-\n#') + lines[place][at + 1 :]
            case 6:
                words = re.findall(r'"[^"]*"', text)
                if words:
                    own = re.search(r'"[^"]*"', lines[place])
                    lines[place] = lines[place].replace(own[0], chance.choice(words), 1) if own else "\n"
            case 7:
                lines = lines[: place + 1]
        text = "".join(lines)
    return text


def said(lock: dict) -> set[tuple[str, str, str]]:
    """Name, file and SHA-256 of each file that a lock names; what is no table of files is none."""
    found = set()
    for package in tables(lock.get("package")) + tables(lock.get("packages")):
        source = package.get("source")
        source = source if isinstance(source, dict) else {}
        for entry in tables(package.get("wheels")) + tables([package.get("sdist"), package.get("archive")]):
            hashes = entry.get("hashes")
            digest = hashes.get("sha256") if isinstance(hashes, dict) else entry.get("hash")
            for address in (
                *(entry.get(key) for key in ("filename", "name", "path", "url")),
                source.get("url"),
                source.get("path"),
            ):
                if isinstance(address, str):
                    # A damaged address may be none.
                    file = unquote(re.split("[?#]", address)[0].rsplit("/", 1)[-1])
                    name = re.sub(r"[-_.]+", "-", str(package.get("name"))).lower()
                    found.add((name, file, str(digest or "").removeprefix("sha256:").lower()))
    return found


def tables(value: object) -> list[dict]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def read(folders: list[Path]) -> list[object]:
    """What the reader makes of each: its packages; False, where a sentence refuses it; or the error that ended it."""
    programs = [f"(({expression(folder)}).packages)" for folder in folders]
    each = " ".join(
        f"(let r = builtins.tryEval (builtins.deepSeq {one} {one}); in if r.success then r.value else false)"
        for one in programs
    )
    result = evaluate(f"[ {each} ]")
    if result.returncode == 0:
        found: list[object] = json.loads(result.stdout)
        return found
    if len(folders) == 1:
        return [result.stderr]
    middle = len(folders) // 2
    return read(folders[:middle]) + read(folders[middle:])


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_lock_is_refused_or_read_as_it_says(tmp_path, part):
    """What is no TOML, Nix refuses in its own words: none is among them, but for what its reader takes to be none."""
    chance = random.Random(part)
    texts: dict[Path, str] = {}
    while len(texts) < NUMBER // 4:
        fixture, file = chance.choice(FILES)
        text = damaged((fixture / file).read_text(), chance)
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        folder = tmp_path / str(len(texts))
        shutil.copytree(fixture, folder)
        (folder / file).write_text(text)
        texts[folder] = text
    folders = list(texts)
    read_ones = 0
    for start in range(0, len(folders), BATCH):
        batch = folders[start : start + BATCH]
        for folder, result in zip(batch, read(batch), strict=True):
            if isinstance(result, str):
                assert "while parsing a TOML string" in result, f"{folder}: {result}"
            elif result is not False:
                read_ones += 1
                locks = [path for _, path in FILES if (folder / path).exists()]
                files = set().union(
                    *(said(tomllib.loads((folder / path).read_text())) for path in set(locks))
                )
                for package in [*result, *(each for one in result for each in one.get("builtWith") or [])]:
                    for archive in (package["wheel"], package["sdist"]):
                        if archive is None:
                            continue
                        hashes = {
                            digest
                            for name, file, digest in files
                            if (name, file) == (package["name"], archive["file"])
                        }
                        # A file of the project need not have a hash.
                        assert archive["sha256"] in hashes or (hashes == {""} and archive["path"]), (
                            folder,
                            archive,
                        )
    assert read_ones > NUMBER / 40
