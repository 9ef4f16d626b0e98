"""Logging: one JSON object a line on stdout, and in logs/django.log when asked for."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from config.env import Environment

FIELDS = {"asctime": "timestamp", "levelname": "level", "name": "logger", "message": "message"}


class JsonLines(JsonFormatter):
    """Keys timestamp (ISO 8601, UTC, milliseconds), level, logger, message, then a record's own fields."""

    def __init__(self) -> None:
        super().__init__(
            "".join(f"{{{field}}}" for field in FIELDS),
            style="{",
            rename_fields=FIELDS,
            # Django attaches the request object; its path and status are in the message already.
            reserved_attrs=[*RESERVED_ATTRS, "request"],
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def configuration(env: Environment, directory: Path, default: str = "") -> dict[str, Any]:
    """The value of LOGGING.

    LOG_FORMAT not set means `default`, or without one: console on a terminal, JSON elsewhere.
    With DJANGO_LOG_TO_FILES, `directory` gets a django.log too; if it cannot be written, `env` notes it.
    """
    default = default or ("console" if sys.stdout.isatty() else "json")
    handlers: dict[str, Any] = {
        "console": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": env.choice("LOG_FORMAT", ("json", "console"), default),
        }
    }
    if env.flag("DJANGO_LOG_TO_FILES", False) and is_writable(env, directory / "django.log"):
        handlers["file"] = {
            # Opens a new file after logrotate has moved the old one away.
            "class": "logging.handlers.WatchedFileHandler",
            "filename": str(directory / "django.log"),
            "encoding": "utf-8",
            "formatter": "json",
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": JsonLines},
            "console": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        },
        "filters": {"as_warning": {"()": lambda: as_warning}},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": "INFO"},
        # Django's default gives its logger handlers of its own; here everything goes through the root.
        "loggers": {
            "django": {"handlers": [], "level": "INFO"},
            "django.security.DisallowedHost": {"filters": ["as_warning"]},
        },
    }


def as_warning(record: logging.LogRecord) -> bool:
    """A WARNING without a traceback: any scanner that comes by causes such a record."""
    record.levelno, record.levelname = logging.WARNING, "WARNING"
    record.exc_info = None
    return True


def is_writable(env: Environment, file: Path) -> bool:
    """Whether lines can be appended to `file`; if not, that is a problem of the configuration."""
    try:
        file.parent.mkdir(exist_ok=True)
        file.open("a").close()
    except OSError as error:
        env.problem(
            f"DJANGO_LOG_TO_FILES is on, but {file} cannot be written ({error.strerror}): "
            "mount a writable volume there, or unset DJANGO_LOG_TO_FILES."
        )
        return False
    return True
