"""Commands that hand this process over to another program, whose output and exit code are then its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import capture, secretfiles, signals, variables
from .errors import BootError, ExitCode

COMMANDS = "serve, migrate, check, healthcheck, wait, manage ARGS, or a program's name"


def manage(arguments: list[str]) -> None:
    """Replace this process with the project's manage.py, with the secrets from files resolved."""
    problems: dict[str, str] = {}
    secretfiles.resolve(os.environ, problems)
    if problems:
        raise BootError(ExitCode.CONFIGURATION, " ".join(problems.values()))
    if not Path("manage.py").is_file():
        raise BootError(ExitCode.NOT_FOUND, f"{Path.cwd()} has no manage.py: nothing to run.")
    execute([sys.executable, "manage.py", *arguments])


def become(command: Sequence[str]) -> None:
    """Replace this process with a program, or with the project's manage.py if that is its name. Raises BootError."""
    if command[0] == "manage":
        manage(list(command[1:]))
    else:
        execute(list(command))


def execute(command: list[str]) -> None:
    """Replace this process with the program. Raises BootError: NOT_FOUND or NOT_EXECUTABLE."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        os.environ["DJANGO_SETTINGS_MODULE"] = variables.BY_NAME["DJANGO_SETTINGS_MODULE"].default
    signals.as_inherited()
    capture.finish()
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        raise BootError(
            ExitCode.NOT_FOUND,
            f"There is no program {command[0]!r}: use {COMMANDS} (--help says more).",
        ) from None
    except (OSError, ValueError) as error:
        raise BootError(
            ExitCode.NOT_EXECUTABLE,
            f"The program {command[0]!r} cannot be executed: {getattr(error, 'strerror', None) or error}.",
        ) from None
