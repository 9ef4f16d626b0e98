"""Which gunicorns the server is made for: its master and workers are gunicorn's own, with parts of them replaced."""

from __future__ import annotations

import re

import gunicorn

from .. import log
from ..errors import BootError, ExitCode

# CI tests these two; those between were tried.
LOWEST = (23, 0)
NEWEST = (27, 0)
LOWEST_FOR_ASGI = (27, 0)


def check() -> None:
    """Warn of a gunicorn that is newer than has been tested. Raises BootError (SERVER) for one that is too old."""
    found = re.match(r"(\d+)\.(\d+)", gunicorn.__version__)
    version = tuple(map(int, found.groups())) if found else NEWEST
    if version < LOWEST:
        raise BootError(
            ExitCode.SERVER,
            f"gunicorn {gunicorn.__version__} is too old, the server needs {_shown(LOWEST)} or newer: ask for"
            f" gunicorn>={_shown(LOWEST)} in the project's dependencies, and lock them again.",
        )
    if version > NEWEST:
        log.warning(
            f"gunicorn {gunicorn.__version__} is newer than those that the server was tested with, {_shown(LOWEST)} to"
            f" {_shown(NEWEST)}: if it misbehaves, ask for gunicorn=={_shown(NEWEST)}.* in the project's dependencies."
        )


def check_for_asgi() -> None:
    """Raises BootError (SERVER) for a gunicorn whose ASGI worker is another one than ours is made of."""
    found = re.match(r"(\d+)\.(\d+)", gunicorn.__version__)
    if found and tuple(map(int, found.groups())) < LOWEST_FOR_ASGI:
        raise BootError(
            ExitCode.SERVER,
            f"ASGI_APPLICATION needs gunicorn {_shown(LOWEST_FOR_ASGI)} or newer, this is {gunicorn.__version__}: ask for"
            f" gunicorn>={_shown(LOWEST_FOR_ASGI)} in the project's dependencies, and lock them again, or have the image"
            ' take the package set\'s (`fromPackageSet = [ "gunicorn" ];` in flake.nix).',
        )


def _shown(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
