"""What must not appear in a log, and how it is struck out."""

from __future__ import annotations

import functools
import json
import re
import urllib.parse

SHORTEST_SECRET = 4  # shorter values cannot be told from ordinary text
WORD_BELOW = 10  # shorter letters and digits may be part of an ordinary word, such as `config.settings`
_hidden: list[str] = []


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
