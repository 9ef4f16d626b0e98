#!/usr/bin/env python3
"""Run relock.py or add.py with what they need besides the machine's Python: uv, and the library packaging.

usage: with_tools.py PROGRAM ARGUMENTS...

Both are wheels that the set's own lock names, and come from where its others do. If the index has them no longer, its
newest do: locking anew is the way out of that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import mirror
import seed
from storepath import fixed_output_path

HERE = Path(__file__).resolve().parent
TOOLS = ("packaging", "uv")


def main(program: str, *arguments: str) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for wheel in wheels(folder):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        [uv] = folder.glob("uv-*.data/scripts/uv")
        uv.chmod(0o755)
        path = {"PATH": f"{uv.parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
        return subprocess.run([sys.executable, HERE / program, *arguments], env=os.environ | path).returncode


def wheels(folder: Path) -> list[Path]:
    """The tools' wheels: in the store, or else in the folder. Raises MirrorError."""
    lock = json.loads((HERE / "lock.json").read_text())
    locked = {name: lock["wheels"][name] for name in TOOLS}
    try:
        seed.seed_wheels(seed.missing_wheels(locked), lock["python"])
    except mirror.Gone:
        mirror.download_newest(TOOLS, lock["python"], folder)
        return sorted(folder.glob("*.whl"))
    return [Path(fixed_output_path(wheel["file"], wheel["sha256"])) for wheel in locked.values()]


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except mirror.MirrorError as error:
        raise SystemExit(f"{Path(sys.argv[1]).stem}: {error}") from None
