"""The pinned lines of pip's requirements files, as a lock takes them: each a name, one version and perhaps hashes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheels import LockError

COMMIT = re.compile(r"git\+(?P<url>[^@#]+(?:@[^@/#]+/[^@#]+)?)@(?P<commit>[0-9a-f]{40})(?:#(?P<options>.*))?")


@dataclasses.dataclass
class Pin:
    """One line. `version` is None where the address says what it is."""

    name: str
    version: str | None
    address: str | None
    marker: str | None
    sha256: set[str]
    # FILE:NUMBER, for messages.
    where: str


@dataclasses.dataclass
class Pins:
    """All lines, the files that they are in, and options that mean nothing to a lock."""

    pins: list[Pin] = dataclasses.field(default_factory=list)
    files: list[Path] = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)


def read(file: Path) -> Pins:
    """The file's lines, and those of the files that it includes. Raises LockError for one that is not pinned."""
    found = Pins()
    read_into(found, file)
    check(found.pins, file)
    return found


def read_into(found: Pins, file: Path) -> None:
    if file in found.files:
        return
    found.files.append(file)
    for number, line in logical_lines(file):
        where = f"{file.name}:{number}"
        if included := re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line):
            read_into(found, file.parent / included[1])
        elif re.match(r"(?:-e|--editable)[\s=]*\.(\s|$)|\.$", line):
            found.ignored.append(f"{where}: {line}, which is the project itself")
        elif line.startswith("-") and not re.match(r"-e\b|--editable\b", line):
            found.ignored.append(f"{where}: {line.split()[0].split('=')[0]}")
        else:
            found.pins.append(pin(re.sub(r"^(-e|--editable)[\s=]*", "", line), where))


def logical_lines(file: Path) -> list[tuple[int, str]]:
    """Lines with their numbers, continued ones joined, without comments."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{file.name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    found: list[tuple[int, str]] = []
    start, pending = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if not pending:
            start = number
        # A comment ends a line, whatever it ends with.
        bare = re.sub(r"(^|\s)#.*", "", line)
        pending += bare.removesuffix("\\") + " "
        if not bare.endswith("\\"):
            if pending.strip():
                found.append((start, pending.strip()))
            pending = ""
    return found


def pin(line: str, where: str) -> Pin:
    """What one line pins. Raises LockError."""
    hashes = re.findall(r"--hash[\s=]+(\S+)", line)
    bare = re.sub(r"\s--[a-z-]+[\s=]+\S+", "", line).strip()
    sha256 = {each.partition(":")[2].lower() for each in hashes if each.startswith("sha256:")}
    if any(not re.fullmatch(r"[0-9a-f]{64}", each) for each in sha256) or (hashes and not sha256):
        raise LockError(f"{where} has a --hash that is no SHA-256 in hexadecimal: make the file anew.")
    if (git := COMMIT.fullmatch(bare)) and (egg := re.search(r"egg=([\w.-]+)", git["options"] or "")):
        return Pin(canonicalize_name(egg[1]), None, bare, None, sha256, where)
    try:
        requirement = Requirement(bare)
    except InvalidRequirement:
        raise LockError(
            f"{where} is no name with a version: {hidden(bare)!r}; write NAME==VERSION, or NAME @ ADDRESS."
        ) from None
    name = canonicalize_name(requirement.name)
    marker = None if requirement.marker is None else str(requirement.marker)
    if requirement.url:
        if not COMMIT.match(requirement.url):
            sha256 |= {
                found[1].lower()
                for found in [re.search(r"#sha256=([0-9a-fA-F]{64})", requirement.url)]
                if found
            }
            if not sha256:
                raise LockError(
                    f"{where} asks for {name} by an address that is not pinned: name the commit (git+ADDRESS@COMMIT, all"
                    " 40 digits of it), or a --hash."
                )
        return Pin(name, None, requirement.url, marker, sha256, where)
    clauses = list(requirement.specifier)
    exact = [each for each in clauses if each.operator in ("==", "===") and "*" not in each.version]
    if len(clauses) != 1 or not exact:
        raise LockError(
            f"{where} does not pin {name} ({requirement.specifier or 'any version'}), so this is no lock: write"
            f" {name}==VERSION, or have versions chosen by `nixw add -r FILE`."
        )
    return Pin(name, exact[0].version, None, marker, sha256, where)


def check(pins: list[Pin], file: Path) -> None:
    """Raise LockError if there is nothing, or not all lines have hashes, or a name has several versions at once."""
    if not pins:
        raise LockError(f"{file.name} lists no package.")
    bare = [each for each in pins if not each.sha256 and each.version]
    if bare and any(each.sha256 for each in pins):
        raise LockError(
            f"{bare[0].where} has no --hash for {bare[0].name}, and others have: make the file anew."
        )
    seen: dict[tuple[str, str | None], Pin] = {}
    for each in pins:
        other = seen.setdefault((each.name, each.marker), each)
        if (other.version, other.address) != (each.version, each.address):
            raise LockError(
                f"{each.where} and {other.where} both pin {each.name}, differently: leave one of them out."
            )


def hidden(text: str) -> str:
    """Without the login that an address may hold."""
    return re.sub(r"//[^/@\s]*@", "//", text)
