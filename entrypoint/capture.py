"""What others write (records of other loggers, warnings, uncaught exceptions, stray prints) becomes log records."""

from __future__ import annotations

import atexit
import io
import json
import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from . import log, request_id


def start(environ: Mapping[str, str]) -> None:
    """Choose the log's format, and bring warnings, uncaught exceptions and stray prints into it."""
    log.choose_format(environ)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    warnings.showwarning = _warning
    logging.getLogger().addHandler(Handler())
    sys.stdout = Lines("stdout", sys.__stdout__)
    sys.stderr = Lines("stderr", sys.__stderr__)


def enable(logger: str) -> None:
    """Undo what a LOGGING with disable_existing_loggers does to this logger."""
    logging.getLogger(logger).disabled = False


def finish() -> None:
    """Write out lines that printing code has begun and not ended (before a fork, at exit)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Lines):
            stream.finish()
    log.finish()


atexit.register(finish)


class Handler(logging.Handler):
    """Writes the records of other loggers in this module's form, to stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; called by `logging`."""
        log.emit(Formatter().format(record))


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
        return log.render(
            record.levelname, message.strip(), logger=record.name, created=record.created, **fields
        )


class Lines(io.TextIOBase):
    """A text stream that turns each line printed to it into a record.

    Lines that are JSON objects already (a project's own JSON logging) keep their fields; secrets are struck out
    of them too. Below other text of the same print, such a line is text: a stranger may have written it.
    For people, what is printed stays as it is, but indented below the first line of a print.
    `beneath` is the stream that this one stands in for, if any.
    """

    encoding = "utf-8"

    def __init__(self, logger: str = "entrypoint", beneath: Any = None, level: str = "INFO") -> None:
        self._logger = logger
        self._beneath = beneath
        self._level = level
        self._begun = ""
        self._below_text = False

    def write(self, text: str) -> int:
        """Take some text; complete lines become records."""
        if not self._begun:
            self._below_text = False
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
        text = _without_colours(line).rstrip()
        if not text:
            return
        if log.chosen_format() == "console" and self._beneath is not None:
            log.emit(log.INDENT * self._below_text + log.as_text(text))
        elif not self._below_text and (record := _as_record(line.strip())):
            log.emit(record)
            return
        else:
            log.write(self._level, text.lstrip(), logger=self._logger)
        self._below_text = True


def _as_record(line: str) -> str | None:
    """The line as a record, if it is a JSON object."""
    if not (line.startswith("{") and line.endswith("}")):
        return None
    try:
        record = json.loads(line)
        if request := request_id.current():
            record.setdefault("request_id", request)
        return log.as_json(record)
    except (ValueError, RecursionError):
        return None


def _without_colours(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def _uncaught(kind: type[BaseException], value: BaseException | None, stack: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, value, stack)).rstrip()
    log.write("ERROR", f"Uncaught {kind.__name__}: {value}", traceback=text)


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    log.write("WARNING", f"{category.__name__}: {message} ({filename}:{lineno})", logger="py.warnings")
