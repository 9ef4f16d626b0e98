"""Where Debian packages and wheels come from: what the machine's apt and pip are configured with."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from machines import Machine
from program import Refused, one_line

CODENAMES = "stable|testing|oldstable|unstable|sid|bullseye|bookworm|trixie|forky|duke"


APT_HELPER = "/usr/lib/apt/apt-helper"


# What was asked for takes its place.
OTHER_FILE = (
    "The Python index has another file of {} than the lock names, with another SHA-256: lock again, or configure pip with"
    " the index that the lock was made from."
)


class MirrorError(Refused):
    """No mirror, or it does not answer, or not as it should; the message is for a person."""


class Gone(MirrorError):
    """The mirror answers, but no longer has what the lock names: time to lock again."""

    exit_code = 3


def sites() -> list[str]:
    """Base addresses of Debian's archive: DEBIAN_MIRROR (several with blanks between) or apt's own."""
    if os.environ.get("DEBIAN_MIRROR"):
        return [site.rstrip("/") for site in os.environ["DEBIAN_MIRROR"].split()]
    if not shutil.which("apt-get"):
        raise MirrorError(
            "Debian's packages are fetched by apt, which this machine has not got: take nixpkgs (NIXW_PACKAGES=nixpkgs)."
        )
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(RELEASE)|$(SITE)"],
        capture_output=True,
        text=True,
    ).stdout
    found = []
    for line in listing.splitlines():
        origin, release, site = (line.split("|") + ["", ""])[:3]
        # The origin is known only after an `apt-get update`.
        if origin == "Debian" or re.match(rf"({CODENAMES})(-|/|$)", release):
            found.append(site.rstrip("/"))
    if not found:
        raise MirrorError(
            "apt knows no Debian mirror on this machine; set DEBIAN_MIRROR to one (the address that ends in /debian)."
        )
    return list(dict.fromkeys(found))


def download_debs(files: dict[str, tuple[str, str]], folder: Path) -> None:
    """Fetch {file name: (pool path, sha256)} into `folder`; a failed or wrong download leaves no file.

    apt's own downloader does it, with apt's proxies, certificates and credentials.
    Raises Gone when the mirrors answer but have not got a file, MirrorError for everything else.
    """
    missing, errors = dict(files), ""
    for site in sites():
        command = [APT_HELPER, "-q", "-o", "APT::Sandbox::User=root", "download-file"]
        for name, (path, sha256) in missing.items():
            command += [f"{site}/{path}", str(folder / name), f"SHA256:{sha256}"]
        if missing:
            errors += subprocess.run(command, capture_output=True, text=True).stderr
        missing = {name: wanted for name, wanted in missing.items() if not (folder / name).exists()}
    if not missing:
        return
    paths = ", ".join(path for path, _ in missing.values())
    if "mismatch" in errors:
        raise MirrorError(f"A mirror serves other contents than the lock names: {paths}.")
    if re.search(r"\b404\b|not found", errors, re.IGNORECASE):
        raise Gone(f"The mirror no longer has {paths}: Debian replaces packages when it updates them.")
    reason = next(
        (line.removeprefix("E: ") for line in errors.splitlines() if line.startswith("E: ")),
        "no reason given",
    )
    raise MirrorError(f"The Debian mirror cannot be reached ({reason}).")


def download_wheels(wheels: dict[str, tuple[str, str]], python: str, machine: Machine, folder: Path) -> None:
    """Fetch {project: (version, sha256)} of the machine's into `folder` with pip, which compares the hashes.

    Raises Gone when the index answers but has no such file, MirrorError for everything else.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(
        "".join(f"{name}=={version} --hash=sha256:{sha256}\n" for name, (version, sha256) in wheels.items())
    )
    pip_download(["--require-hashes", "--requirement", str(requirements)], python, machine, folder)


def download_newest(projects: Iterable[str], python: str, machine: Machine, folder: Path) -> None:
    """Fetch the newest wheels of the projects into `folder`. Raises as download_wheels does."""
    pip_download([*projects], python, machine, folder)


def pip_download(wanted: list[str], python: str, machine: Machine, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    command += [*pip_platform(python, machine), *wanted]
    # Constraints that pip is configured with are for choosing a version, which the lock has done.
    environment = os.environ | {"PIP_CONSTRAINT": os.devnull}
    with tempfile.TemporaryDirectory() as name:
        # What pip says to nobody: that an index answered, but not with a page.
        log = Path(name, "log")
        result = subprocess.run(
            [*command, "--log", str(log)],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
        )
        details = log.read_text(errors="replace") if log.exists() else ""
    if result.returncode == 0:
        return
    lines = result.stderr.splitlines()
    reason = next((line for line in lines if line.startswith("ERROR: ")), "no reason given")
    if reason == "ERROR: Exception:":
        # Its last line says which.
        reason = one_line(lines[-1])
    if "Retrying" in result.stderr or "Connection" in result.stderr:
        raise MirrorError("The Python index that pip is configured with cannot be reached.")
    if "DO NOT MATCH THE HASHES" in result.stderr:
        # An address may hold a password.
        other = re.findall(r"^ +([^ ;]+==[^ ;]+).* from ", result.stderr, re.MULTILINE)
        raise MirrorError(OTHER_FILE.format(", ".join(other) or "a package"))
    answers = re.findall(r"Could not fetch URL \S+: (.*) - skipping", details)
    if strange := [answer for answer in answers if not answer.startswith("404 ")]:
        # An address may hold a password.
        answer = re.sub(r"//[^/@ ]*@", "//", one_line(strange[0]))
        raise MirrorError(
            f"The Python index that pip is configured with does not answer as it should: {answer}."
        )
    if "No matching distribution" in result.stderr:
        raise Gone(
            f"The Python index no longer has a wheel that the lock names ({reason.removeprefix('ERROR: ')})"
        )
    raise MirrorError(f"pip could not download the wheels: {reason.removeprefix('ERROR: ')}")


@functools.cache
def pip_settings() -> dict[str, str]:
    """How the machine's pip is configured: by its files and, over these, by its environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if result.returncode != 0:
        raise MirrorError(f"pip's configuration cannot be read: {one_line(result.stderr)}")
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in result.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                settings[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return settings


def pip_platform(python: str, machine: Machine) -> list[str]:
    """pip's options that ask for wheels of this set's Python on the machine, whatever pip itself runs on."""
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    abis = ["cp" + python.replace(".", ""), "abi3", "none"]
    return options + [f"--abi={abi}" for abi in abis] + [f"--platform={tag}" for tag in machine.platforms]


class Apt:
    """apt over a release of its own, in a folder of its own; made by `private`."""

    def __init__(self, options: list[str]) -> None:
        self._options = options

    def run(self, *command: str) -> str:
        """Standard output of an apt program. Raises MirrorError when it fails."""
        result = subprocess.run([command[0], *self._options, *command[1:]], capture_output=True, text=True)
        if result.returncode != 0:
            raise MirrorError(f"{' '.join(command[:2])} failed: {' '.join(result.stderr.split())}")
        return result.stdout

    def index(self) -> Index:
        """Every package that the release has, in its newest version."""
        records: dict[str, dict[str, Any]] = {}
        provides: dict[str, str] = {}
        for paragraph in self.run("apt-cache", "dumpavail").split("\n\n"):
            fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
            if not fields:
                continue
            depends = [fields[key] for key in ("Pre-Depends", "Depends") if key in fields]
            try:
                name = fields["Package"]
                records[name] = {
                    "version": fields["Version"],
                    "path": fields["Filename"],
                    "size": int(fields["Size"]),
                    "sha256": fields["SHA256"],
                    # Of alternatives ("a | b") the first is Debian's default (Policy 7.1).
                    "depends": bare_names(", ".join(depends)),
                }
            except (KeyError, ValueError):
                raise MirrorError(
                    f"The Debian mirror's list of packages is not whole: {one_line(paragraph[:60])} ..."
                ) from None
            for virtual in bare_names(fields.get("Provides", "")):
                provides.setdefault(virtual, name)
        return Index(records, provides)


@dataclasses.dataclass
class Index:
    """Packages by name, and who provides a virtual one."""

    records: dict[str, dict[str, Any]]
    provides: dict[str, str]

    def real_name(self, name: str) -> str:
        """`name`, or the package that provides it when it is virtual. Raises MirrorError for neither."""
        if name in self.records:
            return name
        if name in self.provides:
            return self.provides[name]
        raise MirrorError(f"There is no Debian package named {name}.")


def bare_names(field: str) -> list[str]:
    """Package names of a dependency field, without versions, architectures and second alternatives."""
    groups = [group.split("|")[0].strip() for group in field.split(",")]
    return [re.sub(r"[ :(\[].*", "", group) for group in groups if group]


@contextlib.contextmanager
def private(release: str, machine: Machine) -> Iterator[Apt]:
    """apt over `release`, its updates and its security updates, for the machine, apart from this one's own state."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True)
        (root / "status").touch()
        keyrings = sorted(Path("/usr/share/keyrings").glob("debian-archive-*.gpg"))
        signed = f"[signed-by={','.join(map(str, keyrings))}]"
        lines = []
        for site in sites():
            suites = (
                [f"{release}-security"] if site.endswith("-security") else [release, f"{release}-updates"]
            )
            lines += [f"deb {signed} {site} {suite} main\n" for suite in suites]
        (root / "sources.list").write_text("".join(lines))
        settings = {
            "Dir::State::Lists": root / "lists",
            "Dir::State::status": root / "status",
            "Dir::Cache": root / "cache",
            "Dir::Etc::SourceList": root / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "APT::Sandbox::User": "root",
            "APT::Architecture": machine.debian,
            "APT::Architectures": machine.debian,
            "Acquire::Languages": "none",
        }
        tool = Apt([word for key, value in settings.items() for word in ("-o", f"{key}={value}")])
        tool.run("apt-get", "update", "-q", "--error-on=any")
        yield tool
