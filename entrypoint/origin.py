"""Which variables the database's settings come from, so that advice names what the project really uses."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from .variables import SECRETS

_DATABASE = re.compile(r"(?:^|_)(?:DB|DATABASE|POSTGRES|PG|SQL|RDS)")
_URL = re.compile(r"(?:URL|URI|DSN)$")
# How variables for the keys of DATABASES are named; NAME is in USERNAME and HOSTNAME too.
_KEYS = {
    "HOST": re.compile(r"HOST|ADDR|SERVER"),
    "PORT": re.compile(r"PORT"),
    "USER": re.compile(r"USER"),
    "PASSWORD": re.compile(r"(?:PASS\w*|PWD)(?<!_FILE)$"),
    "NAME": re.compile(r"(?<!USER)(?<!HOST)NAME$|DB$|DATABASE$"),
}
_read: dict[str, None] = {}  # in the order of their first reading


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Note which variables are read meanwhile by whomever, those that are not set as well."""
    environ: Any = type(os.environ)
    original = environ.__getitem__

    def getitem(self: Any, name: Any) -> Any:
        if isinstance(name, str):
            _read[name] = None
        return original(self, name)

    environ.__getitem__ = getitem
    try:
        yield
    finally:
        environ.__getitem__ = original


def of(*keys: str, alias: str = "default") -> str:
    """What to correct for these keys of DATABASES[alias]: the variables, or the settings where none is known."""
    from django.db import connections

    settings = connections.settings[alias]
    names = dict.fromkeys(" or ".join(_variables(key, str(settings.get(key) or ""))) for key in keys)
    return ", ".join(filter(None, names)) or f"the settings' DATABASES[{alias!r}]"


def _variables(key: str, wanted: str) -> list[str]:
    """Of the variables that were read: the one that has led to the value, or those that could have."""
    ours = [name for name in _read if _DATABASE.search(name)]
    own = [name for name in ours if _KEYS[key].search(name)]
    urls = [name for name in ours if _URL.search(name)]
    leads: Callable[[str], bool]
    for names, leads in (
        (own, lambda value: value.strip() == wanted),
        (urls, lambda value: wanted in unquote(value)),
    ):
        for name in names:
            if (value := os.environ.get(name)) and leads(value):
                return _with_file(name)
    return [each for name in own or urls if not os.environ.get(name) for each in _with_file(name)]


def _with_file(name: str) -> list[str]:
    """The variable, and the one that may name a file for it."""
    return [name, f"{name}_FILE"] if name in SECRETS or f"{name}_FILE" in _read else [name]
