#!/usr/bin/env python3
"""Run relock.py or add.py with what they need besides the machine's Python: uv, and the library packaging.

usage: with_tools.py PROGRAM ARGUMENTS...

Both are wheels that the set's own lock names, and come from where its others do. If the index has them no longer, its
newest do: locking anew is the way out of that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import machines
import mirror
import program
import seed
from storepath import fixed_output_path

HERE = Path(__file__).resolve().parent
TOOLS = ("packaging", "uv")


def main(file: str, *arguments: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for wheel in wheels(folder):
            try:
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(folder)
            except zipfile.BadZipFile:
                raise mirror.MirrorError(
                    f"The Python index gives as {wheel.name} what is no wheel."
                ) from None
        uv = next(folder.glob("uv-*.data/scripts/uv"), folder / "uv")
        uv.chmod(0o755)
        path = {"PATH": f"{uv.parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
        sys.exit(subprocess.run([sys.executable, HERE / file, *arguments], env=os.environ | path).returncode)


def wheels(folder: Path) -> list[Path]:
    """The tools' wheels: in the store, or else in the folder. Raises MirrorError."""
    lock = seed.read_lock()
    locked = {name: seed.locked_for(lock, machines.OWN)["wheels"][name] for name in TOOLS}
    try:
        seed.seed_wheels(seed.missing_wheels(locked), lock["python"])
    except mirror.Gone:
        mirror.download_newest(TOOLS, lock["python"], machines.OWN, folder)
        return sorted(folder.glob("*.whl"))
    return [Path(fixed_output_path(wheel["file"], wheel["sha256"])) for wheel in locked.values()]


if __name__ == "__main__":
    program.run(Path(sys.argv[1]).stem, main)
