"""load.py NAME DIRECTORY: load every library below the directory, so that a wheel that does not fit fails here."""

import ctypes
import os
import sys
from pathlib import Path


def main(name: str, directory: str) -> int:
    for file in sorted(Path(directory).rglob("*.so*")):
        if not file.is_file() or file.open("rb").read(4) != b"\x7fELF":
            continue
        try:
            ctypes.CDLL(str(file), mode=os.RTLD_NOW)
        except OSError as error:
            place = file.relative_to(directory)
            print(
                f"{name} does not fit this set: {place} cannot be loaded ({error}): ask for another version,"
                " or add the Debian package that it needs with `nixw add --debian PACKAGE`.",
                file=sys.stderr,
            )
            return 1
    return 0


code = main(*sys.argv[1:])
sys.stderr.flush()
# Not by sys.exit: destructors may take for granted that their module was imported (matplotlib's abort otherwise).
os._exit(code)
