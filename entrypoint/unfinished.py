"""Migrations that are not atomic, began and did not end: noted while they run, and named at the next start.

PostgreSQL rolls an atomic one back; of another one, some may have been done, and Django does not know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import database, log
from .errors import Interrupted

# Rows of django_migrations whose app begins so, which no app's label can, and which Django does not look at.
_PREFIX = "unfinished: "
NAMED = 10  # indexes that a record names

_INVALID_INDEXES = """
    SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1 LIMIT %s
"""


@contextlib.contextmanager
def noted(connection: Any, migration: Any) -> Iterator[None]:
    """Keep a note on `connection` until the migration has been applied; of atomic ones none.

    If there is a note already, the log says what that means.
    """
    if migration.atomic:
        yield
        return
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder(connection)
    note = (_PREFIX + migration.app_label, migration.name)
    new = note not in recorder.applied_migrations()
    if new:
        recorder.record_applied(*note)
    else:
        _tell(connection, migration.app_label, migration.name)
    try:
        yield
    except Interrupted:  # before anything was done
        if new:
            recorder.record_unapplied(*note)
        raise
    recorder.record_unapplied(*note)


def warn(connection: Any, applied: list[tuple[str, str]]) -> None:
    """Name the migrations that have such a note among the rows `applied`, and what may be left of them."""
    found = [
        (app.removeprefix(_PREFIX), name)
        for app, name in applied
        if app.startswith(_PREFIX) and (app.removeprefix(_PREFIX), name) not in applied
    ]
    for app, name in found:
        _tell(connection, app, name)


def _tell(connection: Any, app: str, name: str) -> None:
    log.warning(
        f"Migration {app}.{name}{database.place(connection)}, which is not atomic, has begun and did not end: some of it"
        f" may be done.{_invalid_indexes(connection)} It is applied anew; if that fails, undo what is done, or do what is"
        f" left and record it (manage migrate {app} {name} --fake)."
    )


def _invalid_indexes(connection: Any) -> str:
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute(_INVALID_INDEXES, [NAMED])
        indexes = ", ".join(f"{index} of {table}" for index, table in cursor.fetchall())
    return f" Invalid indexes, which are to be dropped first: {indexes}." if indexes else ""
