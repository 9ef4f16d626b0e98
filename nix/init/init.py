#!/usr/bin/env python3
"""Write the flake.nix of a Django project that lies in this folder or below; say what was found, and what is not sure.

usage: init.py TEMPLATE [FOLDER]

TEMPLATE is the flake.nix to begin with; FOLDER the one with manage.py, if there are several. Nothing of the project is
run, and nothing is overwritten. Exit code 103: it cannot be done, and one sentence says why.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flake import text
from modules import InitError
from project import read

REFUSED = 103


def main(template: str, *arguments: str) -> None:
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        raise InitError("use `nixw init`, or `nixw init FOLDER` for the folder of manage.py.")
    top = Path.cwd().resolve()
    flake = top / "flake.nix"
    if flake.exists() or flake.is_symlink():
        raise InitError(
            "there is a flake.nix here, which stays as it is: move it away, or add to it by hand."
        )
    project = read(top, *arguments or (None,))
    with flake.open("x") as file:
        file.write(text(Path(template), project))
    for subject, finding in project.findings:
        print(f"{subject + ':':22}{finding}")
    print(f"{'Written:':22}flake.nix{track(top)}")
    print(f"{'Next:':22}nixw build .#image && docker load < result")


def track(top: Path) -> str:
    """Add flake.nix to git's index, for a flake sees only what git tracks; what to say of it."""
    command = ["git", "-C", str(top), "add", "flake.nix"]
    try:
        if subprocess.run([*command[:3], "rev-parse"], capture_output=True).returncode != 0:
            return ""
        added = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        added = False
    return ", and added to git's index" if added else "; `git add` it, for a flake sees only what git tracks"


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InitError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or 'a file'}: {error.strerror}."
    else:
        sys.exit(0)
    print(f"init: {message}", file=sys.stderr)
    sys.exit(REFUSED)
