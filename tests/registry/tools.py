"""cosign and oras, to hold this project's signatures and artifacts against: the machine's, or Debian 13's."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import mirror
from machines import OWN
from tests.container.needs import unavailable

FOLDER = Path(__file__).resolve().parent / ".artefacts"
RELEASE = "trixie"


NAMES = ("cosign", "oras")


@cache
def tool(name: str) -> Path:
    """The program; it need not be a package of the machine's own release."""
    if found := shutil.which(name):
        return Path(found)
    program = FOLDER / name / "usr/bin" / name
    if not program.exists():
        try:
            fetch()
        except mirror.MirrorError as error:
            unavailable(f"there is no {name}: {error}")
    return program


def fetch() -> None:
    """Both, from Debian's archive. Raises MirrorError."""
    FOLDER.mkdir(exist_ok=True)
    with mirror.private(RELEASE, OWN) as apt:
        paragraphs = apt.run("apt-cache", "show", "--no-all-versions", *NAMES).split("\n\n")
    records = [dict(re.findall(r"^([\w-]+): (.*)$", each, re.MULTILINE)) for each in paragraphs]
    packages = {f"{each['Package']}.deb": (each["Filename"], each["SHA256"]) for each in records if each}
    mirror.download_debs(packages, FOLDER)
    for name in NAMES:
        package = FOLDER / f"{name}.deb"
        subprocess.run(["dpkg-deb", "--extract", package, FOLDER / name], check=True)
        package.unlink()
