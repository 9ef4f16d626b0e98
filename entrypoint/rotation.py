"""Secrets that change in their files while the server runs."""

from __future__ import annotations

import os
from typing import Any

from . import log, secretfiles


def renew() -> None:
    """Read the files of secrets anew, and have this process, and what it forks, use what they say now.

    The log says what has changed, and which file cannot be used: the old secret stays then.
    """
    from django.conf import settings
    from django.db import connections

    problems: dict[str, str] = {}
    changed = secretfiles.read_anew(os.environ, problems)
    for name, (old, new) in changed.items():
        # The project has put it where it belongs; where that is, its value tells.
        if old == settings.SECRET_KEY:
            settings.SECRET_KEY = new
        for alias in connections:
            database = connections.settings[alias]
            if database["PASSWORD"] == old:
                database["PASSWORD"] = new
        log.info(f"{name} has changed in its file, and was read from there.")
    for problem in problems.values():
        log.error(f"The server keeps its secret: {problem}")


def renew_when_refused() -> None:
    """From now on, whoever is refused by PostgreSQL reads the files anew, and tries once more if that helps.

    By whatever reason: psycopg2 does not tell a wrong password's code, and its text is in the server's language.
    """
    from django.db.backends.postgresql.base import DatabaseWrapper

    original = DatabaseWrapper.get_new_connection

    def get_new_connection(self: Any, conn_params: Any) -> Any:
        try:
            return original(self, conn_params)
        except self.Database.OperationalError:
            renew()
            fresh = self.get_connection_params()
            if fresh.get("password") == conn_params.get("password"):  # another thread may have renewed it
                raise
            if hasattr(self, "close_pool"):
                self.close_pool()
            return original(self, fresh)

    DatabaseWrapper.get_new_connection = get_new_connection
