"""Log records: one JSON object per line on stdout, or readable lines for people.

Records are written directly, not through `logging`: the project's LOGGING may disable every logger that
exists when it is applied. A handler brings other libraries' records (gunicorn's, for one) into the same form.
"""

from __future__ import annotations

import atexit
import io
import json
import logging
import os
import re
import select
import sys
import threading
import time
import traceback
import urllib.parse
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any

FORMATS = ("json", "console")
SHORTEST_SECRET = 4  # shorter values cannot be told from ordinary text

_STDOUT = 1
_format = "json"
_stage = ""
_hidden: list[str] = []


def start(environ: Mapping[str, str]) -> None:
    """Choose the format, and bring warnings, uncaught exceptions and stray prints into it."""
    global _format
    chosen = environ.get("LOG_FORMAT", "").strip().lower()
    _format = chosen if chosen in FORMATS else "console" if os.isatty(_STDOUT) else "json"
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    warnings.showwarning = _warning
    logging.getLogger().addHandler(Handler())
    if _format == "json":
        sys.stdout = Lines("stdout", sys.__stdout__)
        sys.stderr = Lines("stderr", sys.__stderr__)


def chosen_format() -> str:
    """One of FORMATS."""
    return _format


def stage(name: str) -> None:
    """Mark the records from now on as belonging to this stage of the boot ("": to none)."""
    global _stage
    _stage = name


def info(message: str, **fields: Any) -> None:
    """Write an INFO record of the logger "entrypoint"."""
    write("INFO", message, **fields)


def warning(message: str, **fields: Any) -> None:
    """Write a WARNING record of the logger "entrypoint"."""
    write("WARNING", message, **fields)


def error(message: str, **fields: Any) -> None:
    """Write an ERROR record of the logger "entrypoint"."""
    write("ERROR", message, **fields)


def write(
    level: str, message: str, *, logger: str = "entrypoint", created: float | None = None, **fields: Any
) -> None:
    """Write one record now, whole, in one system call where the kernel allows it."""
    _emit(render(level, message, logger=logger, created=created, **fields))


def render(
    level: str, message: str, *, logger: str = "entrypoint", created: float | None = None, **fields: Any
) -> str:
    """The record as text. `created` is seconds since the epoch (now, if not given)."""
    created = time.time() if created is None else created
    # Rounding down, as strftime does with the seconds.
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))
    timestamp = f"{seconds}.{int(created % 1 * 1000):03d}Z"
    if _stage:
        fields = {"stage": _stage, **fields}
    if _format == "json":
        record: dict[str, object] = {
            "timestamp": timestamp,
            "level": level,
            "logger": logger,
            "message": hide(message),
        }
        record.update({name: _plain(value) for name, value in fields.items()})
        return json.dumps(record, ensure_ascii=False)
    traceback_text = fields.pop("traceback", "")
    origin = fields.get("stage") or logger
    text = f"{timestamp[11:23]} {level:<7} {origin}: {hide(message)}"
    return f"{text}\n{hide(str(traceback_text))}" if traceback_text else text


def add_secrets(*values: object) -> None:
    """From now on these values are struck out of every record, in the forms that error texts show them in."""
    for value in values:
        if not isinstance(value, str):
            continue
        for part in (value, *value.splitlines()):
            forms = (part, repr(part)[1:-1], urllib.parse.quote(part, safe="", errors="replace"))
            _hidden.extend(form for form in forms if len(form) >= SHORTEST_SECRET and form not in _hidden)
    _hidden.sort(key=len, reverse=True)  # a secret that contains another goes first


def hide(text: str) -> str:
    """The text without the secrets that are known so far."""
    for secret in _hidden:
        text = text.replace(secret, "***")
    return text


def enable(logger: str) -> None:
    """Undo what a LOGGING with disable_existing_loggers does to this logger."""
    logging.getLogger(logger).disabled = False


def finish() -> None:
    """Write out lines that printing code has begun and not ended (before a fork, at exit)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Lines):
            stream.finish()


atexit.register(finish)


class Handler(logging.Handler):
    """Writes the records of other loggers in this module's form, to stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; called by `logging`."""
        _emit(Formatter().format(record))


class Formatter(logging.Formatter):
    """The same form for handlers that write elsewhere, such as to a file."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, with the fields that its logger attached as `fields`."""
        try:
            message = record.getMessage()
        except Exception:  # wrong arguments for the message's placeholders
            message = f"{record.msg} {record.args!r}"
        fields = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0]:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return render(record.levelname, message.strip(), logger=record.name, created=record.created, **fields)


class Lines(io.TextIOBase):
    """A text stream that turns each line printed to it into a record.

    Lines that are JSON objects already (a project's own JSON logging) pass through as they are.
    `beneath` is the stream that this one stands in for, if any.
    """

    encoding = "utf-8"

    def __init__(self, logger: str = "entrypoint", beneath: Any = None, level: str = "INFO") -> None:
        self._logger = logger
        self._beneath = beneath
        self._level = level
        self._begun = ""

    def write(self, text: str) -> int:
        """Take some text; complete lines become records."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._line(line)
        return len(text)

    def finish(self) -> None:
        """Write the line that has been begun, if any."""
        line, self._begun = self._begun, ""
        self._line(line)

    def writable(self) -> bool:
        """Always; nothing can be read."""
        return True

    def fileno(self) -> int:
        """The descriptor of the stream beneath."""
        if self._beneath is None:
            raise io.UnsupportedOperation("fileno")
        return int(self._beneath.fileno())

    @property
    def buffer(self) -> Any:
        """The binary stream beneath, for code that writes bytes."""
        return self._beneath.buffer

    def _line(self, line: str) -> None:
        line = line.strip()
        if not line:
            return
        if line.startswith("{") and line.endswith("}") and _is_json_object(line):
            _emit(line)
        else:
            write(self._level, _without_colours(line), logger=self._logger)


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _without_colours(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def _plain(value: object) -> object:
    """The value with secrets struck out, as something that JSON can hold."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor not-a-number
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    try:
        return hide(str(value))
    except Exception:  # a broken __str__ must not lose the record
        return f"<{type(value).__name__}>"


def _emit(line: str) -> None:
    # A lone surrogate becomes \udcXX, which is also how JSON writes it.
    data = line.encode("utf-8", "backslashreplace") + b"\n"
    while data:
        try:
            data = data[os.write(_STDOUT, data) :]
        except BlockingIOError:
            select.select([], [_STDOUT], [])
        except OSError:
            return  # nobody reads the log any more, which is no reason to stop


def _uncaught(kind: type[BaseException], value: BaseException | None, stack: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, value, stack)).rstrip()
    write("ERROR", f"Uncaught {kind.__name__}: {value}", traceback=text)


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    write("WARNING", f"{category.__name__}: {message} ({filename}:{lineno})", logger="py.warnings")
