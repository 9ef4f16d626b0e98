"""What must not appear in a log, and how it is struck out."""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

SHORTEST_SECRET = 4  # shorter values cannot be told from ordinary text
WORD_BELOW = 10  # shorter letters and digits may be part of an ordinary word, such as `config.settings`
_hidden: list[str] = []

# Values of variables with such names never appear in a log, whoever's they are...
_SECRET_NAME = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|(?:_|API)KEY$|_(?:DSN|PASS|PWD)$"
)
# ...unless they say where the secret is.
_PLACE_NAME = re.compile(r"_(?:FILE|PATH|DIR)$")
# Of settings, only what ends so: PASSWORD_RESET_TIMEOUT and TOKEN_CLASS are no secrets.
_SECRET_SETTING = re.compile(
    r"(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIALS?|_KEY|APIKEY|DSN)$|(?:^|_)(?:PASS|PWD)$"
)
_PASSWORD_IN_URL = re.compile(r"://[^\s/?#:]*:([^\s/?#]+)@")
_FIELD = re.compile(r"(?:^|[?&\s])(\w+)=([^\s&#]+)")  # of a URL, or of libpq's connection strings
_DEEPEST = 10  # levels of dicts and lists in a setting


def add_secrets(*values: object) -> None:
    """From now on these values are struck out of every record, in the forms that error texts show them in."""
    for value in values:
        if not isinstance(value, str):
            continue
        for part in (value, *value.splitlines()):
            forms = (
                part,
                repr(part)[1:-1],
                json.dumps(part)[1:-1],
                urllib.parse.quote(part, safe="", errors="replace"),
            )
            _hidden.extend(form for form in forms if len(form) >= SHORTEST_SECRET and form not in _hidden)
    _hidden.sort(key=len, reverse=True)  # a secret that contains another goes first


def add_variables(environ: Mapping[str, str]) -> None:
    """Redact the values of all variables that look like secrets, and the passwords in all URLs."""
    for name, value in environ.items():
        named = [value] if _is_secret(name) else []
        # Short values of such names are mostly switches: USE_TOKEN=true.
        add_secrets(*(each for each in named if len(each) >= 8), *_inside(value))


def add_settings(settings: Any) -> None:
    """Redact the secrets of Django's settings, however deep they lie (CACHES), and the passwords in all URLs."""
    add_secrets(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    for name in dir(settings):
        if name.isupper() and settings.is_overridden(name):
            for key, value in _texts(name, getattr(settings, name)):
                add_secrets(value if _SECRET_SETTING.search(key.upper()) else None, *_inside(value))


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name.upper())) and not _PLACE_NAME.search(name.upper())


def _inside(value: str) -> list[str]:
    """The secrets in a URL or a connection string, as they stand there and unquoted."""
    found = [text for field, text in _FIELD.findall(value) if _is_secret(field) and len(text) >= 8]
    found += _PASSWORD_IN_URL.findall(value)
    return found + [urllib.parse.unquote(each) for each in found]


def _texts(name: str, value: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in the setting, with the key that it has in the innermost dict."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for key, each in value.items():
            yield from _texts(str(key), each, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)) and depth < _DEEPEST:
        for each in value:
            yield from _texts("", each, depth + 1)


def hide(text: str) -> str:
    """The text without the secrets that are known so far."""
    for secret in _hidden:
        if secret in text:
            is_word = len(secret) < WORD_BELOW and secret.isalnum()
            text = _word(secret).sub("***", text) if is_word else text.replace(secret, "***")
    return text


@functools.cache
def _word(secret: str) -> re.Pattern[str]:
    r"""The secret on its own, not in a longer word, path or dotted name; an escape (`\n`, `%20`) ends a word."""
    before = r"(?:(?<!\w)(?<!\w[.\-/])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
    return re.compile(before + re.escape(secret) + r"(?!\w|[.\-/]\w)")
