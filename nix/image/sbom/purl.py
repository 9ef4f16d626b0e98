"""Package URLs (purl), by which scanners look packages up in their databases.

Source of the rules: the purl specification (ECMA-427) and its definitions of the types `deb`, `pypi` and `generic`.
"""

from __future__ import annotations

import urllib.parse


def pypi(name: str, version: str) -> str:
    """A distribution of the Python Package Index."""
    return _purl("pypi", name.lower().replace("_", "-"), version)


def deb(distribution: str, name: str, version: str, qualifiers: dict[str, str]) -> str:
    """A package of a distribution that uses Debian's format; `distribution` is the ID in its os-release."""
    return _purl(f"deb/{distribution}", name, version, qualifiers)


def generic(name: str, version: str) -> str:
    """Something of no ecosystem that has a type of its own."""
    return _purl("generic", name, version)


def _purl(kind: str, name: str, version: str, qualifiers: dict[str, str] | None = None) -> str:
    text = f"pkg:{kind}/{_quote(name)}"
    if version:
        text += f"@{_quote(version)}"
    if qualifiers:
        text += "?" + "&".join(f"{key}={_quote(value)}" for key, value in sorted(qualifiers.items()))
    return text


def _quote(text: str) -> str:
    # The colon is the one reserved character that stays as it is.
    return urllib.parse.quote(text, safe=":")
