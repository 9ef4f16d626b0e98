"""Log records: one JSON object per line on stdout, or readable lines for people.

Records are written directly, not through `logging`: the project's LOGGING may disable every logger that
exists when it is applied. A handler brings other libraries' records (gunicorn's, for one) into the same form.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from . import request_id
from .redaction import hide
from .stdout import Stdout

FORMATS = ("json", "console")

_NAMES = ("timestamp", "level", "logger", "message")  # every record has these, in this order
INDENT = "    "  # of what stands below a record for people: no record begins so
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # ends a line, or commands a terminal
_STDOUT = 1
_format = "json"
_stage = ""


def choose_format(environ: Mapping[str, str]) -> None:
    """LOG_FORMAT's, or else lines on a terminal and JSON elsewhere."""
    global _format
    chosen = environ.get("LOG_FORMAT", "").strip().lower()
    _format = chosen if chosen in FORMATS else "console" if os.isatty(_STDOUT) else "json"


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
    emit(render(level, message, logger=logger, created=created, **fields))


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
    if request := request_id.current():
        fields = {"request_id": request, **fields}
    if _format == "json":
        named = {"timestamp": timestamp, "level": level, "logger": logger, "message": message}
        return as_json(named | fields)
    traceback_text = str(fields.pop("traceback", "")).rstrip()
    origin = fields.get("stage") or logger
    # Only the boot's own messages mean their newlines; in others a stranger's may be quoted.
    lines = message.split("\n") if logger == "entrypoint" else [message]
    lines += traceback_text.split("\n") if traceback_text else []
    first, *below = map(as_text, lines)
    return "\n".join([f"{timestamp[11:23]} {level:<7} {origin}: {first}", *(INDENT + each for each in below)])


def as_json(record: Mapping[str, object]) -> str:
    """The record as one line of JSON, without secrets and control characters in it."""
    plain = {name if name in _NAMES else hide(str(name)): _plain(value) for name, value in record.items()}
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(plain, ensure_ascii=False))


def as_text(line: str) -> str:
    """The text as a part of one line for people, without secrets and control characters in it."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), hide(line))


def _plain(value: object) -> object:
    """The value with secrets struck out, as something that JSON can hold."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor not-a-number
        return value
    if isinstance(value, Mapping):
        return {hide(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    try:
        return hide(str(value))
    except Exception:  # a broken __str__ must not lose the record
        return f"<{type(value).__name__}>"


def emit(line: str) -> None:
    """Write the line to stdout, whole: all records come through here, from `render`, `as_json` or `as_text`."""
    # A lone surrogate becomes \udcXX, which is also how JSON writes it.
    _stdout.write(line.encode("utf-8", "backslashreplace") + b"\n")


def finish() -> None:
    """Say how many records were dropped, if stdout was not read (stdout.py)."""
    _stdout.tell()


def _notice(count: int) -> bytes:
    message = f"Log records were dropped, {count} of this process, while nobody read its standard output."
    return render("WARNING", message, dropped=count).encode() + b"\n"


_stdout = Stdout(_notice)
