"""Byte-compile a project, in place, as if it lay in /app. Arguments: its folder.

A file with a syntax error stays as it is, and the build goes on: it may be a template of code, which nobody imports. What
Python says of it is shown, even where Nix keeps the logs of its builds to itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys


def main() -> None:
    [folder] = sys.argv[1:]
    # Python compares hashes, since times say nothing here: a file that is mounted over one of these counts.
    options = ["-q", "--invalidation-mode", "checked-hash", "-s", folder, "-p", "/app", folder]
    compiling = subprocess.run(
        [sys.executable, "-m", "compileall", *options],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    print(compiling.stdout, end="")
    if compiling.returncode:
        warn(
            f"These files of the project cannot be compiled, and are in the image as they are:\n{compiling.stdout}"
        )


def warn(message: str) -> None:
    """Have Nix show a message, as one of its own warnings: a line of this form in a build's output is read by it."""
    print("@nix", json.dumps({"action": "msg", "level": 1, "msg": message}))


main()
