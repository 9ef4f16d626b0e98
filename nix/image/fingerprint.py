"""Write into the folders of a project what they hold, as a digest: usage: fingerprint.py PROJECT ENVIRONMENT

PROJECT/.fingerprint has a digest of ENVIRONMENT and of the files that lie there, and then the names of the folders, each of
which has a .fingerprint of its own. So where another tree is mounted over the project, or over one of its folders, a
fingerprint is missing; and an edit changes one folder, and with it one layer of the image.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

NAME = ".fingerprint"


def main() -> None:
    project, environment = Path(sys.argv[1]), sys.argv[2]
    # Byte code is made of files that count already.
    entries = sorted(entry for entry in project.iterdir() if entry.name not in (NAME, "__pycache__"))
    folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    for folder in folders:
        (folder / NAME).write_text(digest(folder, (path for path in folder.rglob("*") if path.name != NAME)))
    own = digest(project, (entry for entry in entries if entry not in folders), environment)
    (project / NAME).write_text("\n".join([own, *(folder.name for folder in folders)]))


def digest(root: Path, paths: Iterable[Path], more: str = "") -> str:
    """The SHA-256, in hexadecimal, of the names and contents of the files among `paths`, and of `more`."""
    total = hashlib.sha256(more.encode())
    for path in sorted(paths):
        if path.is_symlink():
            content = os.fsencode(os.readlink(path))
        elif path.is_file():
            content = path.read_bytes()
        else:
            continue
        total.update(hashlib.sha256(os.fsencode(path.relative_to(root))).digest())
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


if __name__ == "__main__":
    main()
