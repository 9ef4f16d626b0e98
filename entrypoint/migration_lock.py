"""The migration lock: one replica applies migrations, the others wait for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from . import log, sessions
from .errors import BootError, ExitCode

# Any number will do, as long as every replica uses the same one; this one spells "migrate".
LOCK = int.from_bytes(b"migrate")
POLL = 0.25  # seconds
REMIND = 30.0  # seconds

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

# A lock is held by a transaction that does nothing for as long as the migrations take.
_NO_TIMEOUTS = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
_HOLDER = f"""
    SELECT application_name = current_setting('application_name'), {sessions.COLUMNS}
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_GIVEN_BACK = "Another session has had the migration lock"
_NO_TRANSACTION_TIMEOUT = "SET LOCAL transaction_timeout = 0"  # since PostgreSQL 17


@contextlib.contextmanager
def migration_lock(connection: Any, limit: int) -> Iterator[None]:
    """Hold the migration lock on `connection`. It belongs to a transaction, not to a session.

    So it works through a pooler that gives each transaction another session, and it is gone as soon as the
    transaction or its client is. The transaction must not hold a snapshot, or CREATE INDEX CONCURRENTLY in a
    migration would wait for it for ever: hence its isolation.

    Raises BootError: MIGRATION_LOCK if it is not ours within `limit` seconds, DATABASE_REFUSED if there can be no
    transactions.
    """
    deadline = time.monotonic() + limit
    told_at: float | None = None
    _verify_transactions(connection)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_BEGIN)
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if cursor.fetchone()[0]:
                break
            cursor.execute("ROLLBACK")
            now = time.monotonic()
            if now >= deadline:
                raise BootError(
                    ExitCode.MIGRATION_LOCK,
                    f"{holder(cursor) or _GIVEN_BACK}, and we have waited for more than {limit} s: see what it does, or raise"
                    " MIGRATION_LOCK_TIMEOUT.",
                )
            if told_at is None or now - told_at >= REMIND:
                log.info(f"{holder(cursor) or _GIVEN_BACK}; waiting for it (at most {limit} s).")
                told_at = now
            time.sleep(min(POLL, deadline - now))
        cursor.execute(_NO_TIMEOUTS)
        if connection.pg_version >= 170000:
            cursor.execute(_NO_TRANSACTION_TIMEOUT)
        yield
        _verify(cursor)


def holder(cursor: Any) -> str:
    """Who has the migration lock, as the beginning of a sentence; "" if nobody has."""
    cursor.execute(_HOLDER, [LOCK])
    row = cursor.fetchone()
    if row is None:
        return ""
    is_replica, *columns = row
    session = sessions.described(*columns)
    if is_replica:
        return f"Another replica is applying migrations ({session})"
    return f"A session that is no replica's holds the migration lock ({session})"


def _verify_transactions(connection: Any) -> None:
    """See that transactions can be had: a pooler in statement mode ends whoever begins one, often without a word.

    Once proves nothing: the server may have been restarted since the connection was made.
    """
    from django.db import OperationalError

    try:
        _try_transaction(connection)
        return
    except OperationalError:
        connection.close()
        connection.connect()
    try:
        _try_transaction(connection)
    except OperationalError as error:
        connection.close()
        connection.connect()
        if not connection.is_usable():
            raise
        raise BootError(
            ExitCode.DATABASE_REFUSED,
            "PostgreSQL can be reached, but the connection ends when a transaction begins, as with a pooler in"
            " statement mode: migrating needs transaction or session mode (pool_mode).",
        ) from error


def _try_transaction(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        cursor.execute("ROLLBACK")


def _verify(cursor: Any) -> None:
    """Give the lock back, and warn if it was lost on the way."""
    from django.db import Error

    try:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
        )
        held = cursor.fetchone()[0] > 0
        cursor.execute("COMMIT")
    except Error:
        held = False
    if not held:
        log.warning(
            "The connection that held the migration lock was lost while migrations were applied, so another"
            " replica may have applied some at the same time: look for what ends idle connections."
        )
