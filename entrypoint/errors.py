"""Every way to fail: the exit codes, and how an exception becomes one sentence."""

from __future__ import annotations

import errno
import os
import traceback
from enum import IntEnum
from pathlib import Path

LONGEST_REASON = 500  # characters of an exception's own text that a log line can use


class ExitCode(IntEnum):
    """Exit codes of the entrypoint. docs/boot.md says what each means, and tests/entrypoint/test_contract.py compares."""

    OK = 0
    UNEXPECTED = 1
    CONFIGURATION = 10
    DATABASE_UNAVAILABLE = 11
    DATABASE_REFUSED = 12
    MIGRATIONS = 13
    MIGRATION_LOCK = 14
    COLLECTSTATIC = 15
    SUPERUSER = 16
    SERVER = 17
    APPLICATION = 18
    SCHEMA_AHEAD = 19
    UNHEALTHY = 20
    NOT_MIGRATED = 21
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    SIGINT = 130
    SIGTERM = 143


class BootError(Exception):
    """Ends the boot. The text is one sentence for a person: what is wrong, what to do.

    `cause` is the project's exception behind it, if any; its frames go to the log.
    """

    def __init__(self, code: ExitCode, sentence: str, cause: BaseException | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.cause = cause


class Interrupted(BootError):
    """SIGTERM or SIGINT arrived while a migration was being applied, and it is finished, or nothing of it was done."""


def lacks_processes(error: BaseException) -> bool:
    """Whether the kernel has refused a further process or thread."""
    if isinstance(error, OSError):
        return error.errno in (errno.EAGAIN, errno.ENOMEM)
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def no_process(error: BaseException) -> BootError:
    """What to raise then."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return BootError(
        ExitCode.SERVER,
        f"No further process can be started: {reason}; raise the limit on processes (--pids-limit) or on memory,"
        " or lower WEB_CONCURRENCY.",
    )


def describe(error: BaseException) -> str:
    """The exception as one line: type, text, and the project's file and line it came from."""
    text = _text(error)
    if (cause := error.__cause__) is not None and _text(cause) not in text:
        text += f" ({type(cause).__name__}: {_text(cause)})"
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = where(error)
    return f"{line} ({place})" if place else line


def where(error: BaseException) -> str:
    """`file:line` of the project's code nearest to where the exception was raised, else of any code."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename)}:{error.lineno}"
    stack = traceback.extract_tb(error.__traceback__)
    project = os.getcwd() + os.sep
    own = [frame for frame in stack if frame.filename.startswith(project)]
    if not (own or stack):
        return ""
    frame = (own or stack)[-1]
    return f"{_relative(frame.filename)}:{frame.lineno}"


def frames(error: BaseException) -> list[str]:
    """Where the exception passed, outermost first. No source lines and no values: safe to log."""
    return [
        f"{_relative(frame.filename)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen importlib")
    ]


def _text(error: BaseException) -> str:
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # a broken __str__ must not hide the error that it describes
        return ""
    # PostgreSQL's further lines quote statements and rows, which may hold people's data.
    for further in ("\nLINE ", "\nDETAIL:", "[Traceback ", "Traceback (most recent call last)"):
        text = text.split(further, 1)[0]
    text = " ".join(text.split()).rstrip(":")
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "..."


def _relative(filename: str) -> str:
    return filename.removeprefix(os.getcwd() + os.sep)


def owner(path: Path) -> str:
    """Who may write to the path, or to the nearest folder above it that exists; and who this is."""
    found = next(each for each in (path, *path.parents) if each.exists())
    status = found.stat()
    return (
        f"{found} belongs to {status.st_uid}:{status.st_gid}, mode {status.st_mode & 0o777:o};"
        f" this is {os.getuid()}:{os.getgid()}"
    )
