"""The variables with which `nix run` starts a project: what the flake says (`localEnv`), filled in for this machine."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

# What the boot sequence reads by itself; the rest is the project's.
OWN = {
    "GUNICORN_BIND": "@address@",
    "WEB_CONCURRENCY": "2",
    "LOG_FORMAT": "console",
    "DJANGO_SUPERUSER_USERNAME": "admin",
    "DJANGO_SUPERUSER_EMAIL": "admin@localhost",
    "DJANGO_SUPERUSER_PASSWORD": "@admin_password@",
}


def values(port: int, state: Path, database: Mapping[str, str]) -> dict[str, str]:
    """What may stand between @ and @ in a variable's value.

    `database` has the host, port, name, user and password of the project's; `state` keeps the secrets.
    """
    parts = {name: quote(value, safe="") for name, value in database.items()}
    return {
        "address": f"127.0.0.1:{port}",
        "origin": f"http://127.0.0.1:{port}",
        "admin_password": kept_secret(state / "admin-password", 12),
        "secret_key": kept_secret(state / "secret-key", 50),
        "database_url": "postgres://{user}:{password}@{host}:{port}/{name}".format_map(parts),
        **{f"database_{name}": value for name, value in database.items()},
    }


def make_environment(
    template: Mapping[str, str], known: Mapping[str, str], inherited: Mapping[str, str]
) -> dict[str, str]:
    """The variables of OWN and the template. Those that are inherited win, unless they would lead to another database."""
    wanted = OWN | dict(template)
    filled = {name: _fill(value, known) for name, value in wanted.items()}
    database = {name: filled[name] for name, value in wanted.items() if "@database_" in value}
    return filled | dict(inherited) | database


def kept_secret(file: Path, length: int) -> str:
    """A random secret of `length` bytes, made the first time."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(length) + "\n")
    return file.read_text().strip()


def _fill(value: str, known: Mapping[str, str]) -> str:
    return re.sub(r"@(\w+)@", lambda match: known.get(match[1], match[0]), value)
