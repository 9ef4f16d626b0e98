#!/usr/bin/env python3
"""Add a project's dependency and lock it, or change nothing.

usage: add.py FOLDER PACKAGE...             Python packages, with or without a version: django-filter 'Pillow>=12'
       add.py FOLDER -r REQUIREMENTS.TXT    those that the file lists
       add.py FOLDER --debian PACKAGE...    Debian packages: a library that a Python package loads, a program
       add.py FOLDER --debian NAME=PACKAGE  the Python package NAME as Debian has it

FOLDER is nix/debian, or another project's folder `debian`, in which packages.toml and lock.json lie. with_tools.py runs
this.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import program
from relock import read_settings, relock, say, set_lock
from wheels import LockError


def main(*arguments: str) -> None:
    folder, *rest = arguments
    settings = Path(folder, "packages.toml")
    if rest[:1] == ["--debian"] and rest[1:]:
        keep_if_locked(Path(folder), settings, with_debian(settings, rest[1:]), of_set=True)
    elif len(rest) == 2 and rest[0] == "-r":
        pyproject = project_file(Path(folder))
        keep_if_locked(Path(folder), pyproject, with_python(pyproject, listed(Path(rest[1])), lenient=True))
    elif rest and not any(word.startswith("-") for word in rest):
        pyproject = project_file(Path(folder))
        keep_if_locked(Path(folder), pyproject, with_python(pyproject, rest, lenient=False))
    else:
        raise LockError(
            "use `nixw add PACKAGE...`, `nixw add -r requirements.txt` or `nixw add --debian PACKAGE...`."
        )


def project_file(folder: Path) -> Path:
    """The pyproject.toml whose dependencies are locked in the folder."""
    projects = read_settings(folder)["wheels"]["projects"]
    if len(projects) != 1:
        raise LockError(
            f"{folder}/packages.toml names several projects: edit the one you mean, then `nixw relock`."
        )
    pyproject = Path(folder, projects[0]).resolve()
    if pyproject.with_name("uv.lock").exists():
        raise LockError(f"{pyproject.parent} has uv.lock: `uv add PACKAGE` adds to it, and locks.")
    return pyproject


def with_debian(settings: Path, packages: list[str]) -> str:
    """The text of packages.toml with the packages added."""
    text = (
        settings.read_text(errors="surrogateescape")
        if settings.exists()
        else "# What `nixw relock` locks beside pyproject.toml's dependencies.\n"
    )
    for package in packages:
        name, _, debian = package.partition("=")
        if debian:
            text = insert_line(text, "wheels.debian", f'{json.dumps(canonicalize_name(name))} = "{debian}"')
        elif package not in lookup(read(text, settings), "debian").get("roots", []):
            text = insert(text, "debian", "roots", [package])
    return text


def with_python(pyproject: Path, wanted: list[str], lenient: bool) -> str:
    """The text of pyproject.toml with the requirements added; `lenient` skips those of packages that it has."""
    text = pyproject.read_text(errors="surrogateescape") if pyproject.exists() else ""
    project = lookup(read(text, pyproject), "project")
    try:
        names = {canonicalize_name(Requirement(line).name): line for line in project.get("dependencies", [])}
        new = []
        for line in wanted:
            name = canonicalize_name(Requirement(line).name)
            if name not in names:
                new.append(line)
            elif not lenient:
                raise LockError(
                    f"{pyproject} has {names[name]!r} already: change it there, then `nixw relock`."
                )
    except (TypeError, InvalidRequirement) as error:
        raise LockError(f"This cannot be read: {program.one_line(error)}.") from None
    if "dependencies" in project.get("dynamic", []):
        raise LockError(
            f"{pyproject} takes its dependencies from another tool (`dynamic`): list them in [project] dependencies."
        )
    if not project:
        text += (
            "\n" if text else ""
        ) + f'[project]\nname = "{canonicalize_name(pyproject.parent.name)}"\nversion = "0"\n'
    return insert(text, "project", "dependencies", new)


def read(text: str, file: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises LockError."""
    try:
        return tomllib.loads(text.encode(errors="surrogateescape").decode())
    except ValueError as error:
        raise LockError(f"{file} cannot be read: {program.one_line(error)}.") from None


def listed(file: Path, within: tuple[Path, ...] = ()) -> list[str]:
    """The requirements in pip's requirements file and in those that it includes, without options and hashes."""
    if file.resolve() in within:
        raise LockError(f"{file} includes itself.")
    within = (*within, file.resolve())
    try:
        lines = file.read_text().replace("\\\n", " ").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    found = []
    for line in lines:
        line = re.sub(r"(^|\s)(#.*|--hash=\S+)", "", line).strip()
        if included := re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line):
            found += listed(file.parent / included[1], within)
        elif line.startswith("-"):
            say(f"{file}: {line.split()[0]} is left out.")
        elif line:
            found.append(line)
    return found


def insert(text: str, table: str, key: str, items: list[str]) -> str:
    """Add strings to the array `key` of a TOML table, which are made if need be; the rest stays as it is."""
    if not items:
        return text
    before = lookup(tomllib.loads(text), table).get(key, [])
    start, end = section(text, table)
    if start < 0:
        text += f"\n[{table}]\n"
        start = end = len(text)
    array = re.compile(rf"^{key}\s*=\s*\[", re.MULTILINE).search(text, start, end)
    if array is None:
        lines = "".join(f"  {json.dumps(item)},\n" for item in items)
        changed = (
            text[:end].rstrip("\n") + f"\n{key} = [\n{lines}]\n" + ("\n" if text[end:] else "") + text[end:]
        )
    else:
        last, close = ends(text, array.end())
        body = text[array.end() : close].rstrip(" \t")
        indent = (re.search(r"\n([ \t]+)\S", body) or ["", "  "])[1]
        if last >= 0 and "," not in re.sub(r"#.*", "", text[last:close]):
            # Comments may follow the last item, so its comma goes right behind it.
            body = body[: last - array.end()] + "," + body[last - array.end() :]
        body += "" if body.endswith("\n") else "\n"
        body += "".join(f"{indent}{json.dumps(item)},\n" for item in items)
        changed = text[: array.end()] + body + text[close:]
    try:
        right = lookup(tomllib.loads(changed), table).get(key) == before + items
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise LockError(
            f"The array {key} of [{table}] is written in a way that cannot be changed here: add {', '.join(items)} by hand, then `nixw relock`."
        )
    return changed


def insert_line(text: str, table: str, line: str) -> str:
    """Add a line to a TOML table, which is made if need be."""
    _, end = section(text, table)
    if end < 0:
        return f"{text}\n[{table}]\n{line}\n"
    return text[:end].rstrip("\n") + f"\n{line}\n" + ("\n" if text[end:] else "") + text[end:]


def section(text: str, table: str) -> tuple[int, int]:
    """Where the table's lines begin and end in the text; (-1, -1) if it has none."""
    header = re.search(rf"^\[{re.escape(table)}\][^\n]*\n", text, re.MULTILINE)
    if header is None:
        return -1, -1
    following = re.compile(r"^\[", re.MULTILINE).search(text, header.end())
    return header.end(), following.start() if following else len(text)


def ends(text: str, position: int) -> tuple[int, int]:
    """Where the last string ends (-1: there is none) of the array that begins at the position, and where the array."""
    token = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|\]|[^"\'#\]]+')
    last = -1
    while (found := token.match(text, position)) and found[0] != "]":
        position = found.end()
        if found[0][0] in "\"'":
            last = position
    return last, position


def lookup(content: dict[str, Any], table: str) -> dict[str, Any]:
    for part in table.split("."):
        content = content.get(part, {})
        if not isinstance(content, dict):
            raise LockError(f"[{table}] is no table: make it one.")
    return content


def keep_if_locked(folder: Path, file: Path, text: str, of_set: bool = False) -> None:
    """Write the file and lock, only the set's lock if it is `of_set`; if that fails, put everything back."""
    file = file.resolve()
    # Beside it, so that there is no need of room to put it back.
    before = file.with_name(f".{file.name}.before") if file.exists() else None
    new_folder = not folder.exists()
    file.parent.mkdir(exist_ok=True)
    if before:
        shutil.copy2(file, before)
    try:
        program.write_all({file: text})
        if of_set:
            program.write_all({folder / "lock.json": set_lock(folder)})
        else:
            relock(folder, upgrade=False)
    except BaseException:
        if before:
            before.replace(file)
        else:
            file.unlink(missing_ok=True)
        if new_folder and folder.exists():
            folder.rmdir()
        raise
    if before:
        before.unlink()
    say(f"Written: {file}, and the lock.")


if __name__ == "__main__":
    program.run("add", main)
