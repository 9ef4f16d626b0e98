"""Locks of tables that a migration waits for: never for long, because everybody else then queues behind it.

PostgreSQL has one queue for each lock. An ALTER TABLE behind a transaction that somebody forgot makes every later query
of that table wait, too. So it waits for a moment, lets go, and tries again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from . import database, log
from .errors import BootError, ExitCode, Interrupted
from .signals import Deferred
from .watcher import Watcher

FIRST_PAUSE = 1.0  # seconds; each one is twice as long as the one before
LONGEST_PAUSE = 15.0
CHECK_CLIENT = 1000  # milliseconds after which the server looks whether we still live

_LOCK_NOT_AVAILABLE = "55P03"
_QUERY_CANCELED = "57014"
_NOT_IN_A_TRANSACTION = "25001"

# What takes a lock that stops others. Of changed rows, batch by batch, it is not said that they can be changed twice.
_DEFINES = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:ALTER|CREATE|DROP|TRUNCATE|REINDEX|CLUSTER|REFRESH)\b",
    re.IGNORECASE | re.DOTALL,
)
# What changes nothing but the session: a backend that has a schema for each tenant does so before each statement.
_SETS = re.compile(r"\s*SET\b", re.IGNORECASE)


class LockWaits:
    """Applies migrations so that none waits for a lock for more than `limit` seconds at a time.

    A migration that is atomic is rolled back and applied anew. Of one that is not atomic, each statement that defines
    something is, if PostgreSQL can execute it in a transaction. Waiting ends after `patience` seconds in all.
    `connection` holds the migration lock; None if there is none, and then nothing is limited.
    """

    def __init__(self, connection: Any, limit: int, patience: int, deferred: Deferred) -> None:
        self._lock_connection = connection
        self._limit = limit
        self._watcher = Watcher(connection, min(1.0, limit / 4)) if connection else None
        self._attempts = _Attempts(self._watcher, limit, patience, deferred) if self._watcher else None
        self._session = ""

    def stop(self) -> None:
        """Look no longer who is in the way."""
        if self._watcher:
            self._watcher.stop()

    def apply(self, connection: Any, migration: Any, called: str, apply: Callable[[], Any]) -> Any:
        """Call `apply`, which has Django apply the migration on this connection; return what it returns.

        `called` is the migration's name in sentences.

        Raises BootError: MIGRATION_LOCK if somebody was in the way for too long, Interrupted if SIGTERM or SIGINT
        arrived meanwhile and nothing of the migration was done.
        """
        if self._watcher is None or self._attempts is None:
            return apply()
        self._watcher.start()
        self._session = self._session or self._settings()
        self._attempts.begin(called)
        if migration.atomic and not connection.in_atomic_block:
            return self._whole(connection, apply, self._attempts)
        with connection.cursor() as cursor:
            cursor.execute(self._session.format("SESSION"))
        self._watcher.limited = False
        with connection.execute_wrapper(_Statements(self._limited, self._attempts, self._watcher)):
            return apply()

    def _whole(self, connection: Any, apply: Callable[[], Any], attempts: _Attempts) -> Any:
        from django.db import Error

        while True:
            try:
                with connection.execute_wrapper(_First(self._limited)):
                    return apply()
            except Error as error:
                attempts.failed(error)

    def _limited(self, connection: Any) -> None:
        """Limit the waits of the transaction that has just begun. Not of the session: a pooler would give it to others."""
        assert self._watcher
        self._watcher.limited = True
        self._watcher.blockers = ""
        # Not by a query: SET TRANSACTION must precede those.
        with connection.connection.cursor() as cursor:
            cursor.execute(f"{self._session.format('LOCAL')}; SET LOCAL lock_timeout = '{self._limit}s'")

    def _settings(self) -> str:
        """By the one it is found; by the other the server notices that we were killed, where it can (not on Windows)."""
        assert self._watcher
        settings = f"SET {{0}} application_name = '{self._watcher.name}'"
        with self._lock_connection.cursor() as cursor:
            cursor.execute("SELECT version() ~ 'linux'")
            if cursor.fetchone()[0]:
                settings += f"; SET {{0}} client_connection_check_interval = {CHECK_CLIENT}"
        return settings


class _Attempts:
    """What to do when one has failed; of all migrations, because the time that they may wait is one."""

    def __init__(self, watcher: Watcher, limit: int, patience: int, deferred: Deferred) -> None:
        self._watcher = watcher
        self._limit = limit
        self._patience = patience
        self._left = float(patience)
        self._deferred = deferred
        self.begin("")

    def begin(self, migration: str) -> None:
        """The next migration."""
        self.begun = False  # whether some of it is done for good
        self._migration = migration
        self._pause = FIRST_PAUSE

    def failed(self, error: Exception) -> None:
        """Wait before the next attempt, if a lock was the reason; else raise the error.

        SIGTERM and SIGINT end the process meanwhile, unless the migration is half done.
        """
        state = database.sqlstate(error)
        received = self._deferred.received
        if received and not self.begun and state in (_LOCK_NOT_AVAILABLE, _QUERY_CANCELED):
            raise Interrupted(
                ExitCode[received.name],
                f"Stopped by {received.name} while {self._migration} waited for a lock: nothing of it was done.",
            ) from error
        if state != _LOCK_NOT_AVAILABLE:
            raise error
        in_the_way = f"In the way: {self._watcher.blockers or 'a session that is gone'}"
        self._left -= self._limit
        if self._left <= 0:
            half = ", which is not atomic and now half done," if self.begun else ""
            raise BootError(
                ExitCode.MIGRATION_LOCK,
                f"Migration {self._migration}{half} needs a lock and did not get it within {self._patience} s."
                f" {in_the_way}. End that session, or raise MIGRATION_LOCK_TIMEOUT.",
            ) from error
        pause = min(self._pause, self._left)
        self._left -= pause
        log.info(
            f"{self._migration} needs a lock, has let the others pass, and is tried again in {pause:.0f} s"
            f" (for at most {self._patience} s). {in_the_way}."
        )
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if not self.begun:
            self._deferred.release()
        time.sleep(pause)
        self._deferred.hold()


class _First:
    """Wraps the statements of an atomic migration: the first one in its transaction is preceded by the limit."""

    def __init__(self, limited: Callable[[Any], None]) -> None:
        self._limited: Callable[[Any], None] | None = limited

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if self._limited and context["connection"].in_atomic_block:
            limited, self._limited = self._limited, None
            limited(context["connection"])
        return execute(sql, params, many, context)


class _Statements:
    """Wraps the statements of a migration that is not atomic. What it does in transactions of its own is its own."""

    def __init__(self, limited: Callable[[Any], None], attempts: _Attempts, watcher: Watcher) -> None:
        self._limited = limited
        self._attempts = attempts
        self._watcher = watcher

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        from django.db import Error, transaction

        connection = context["connection"]
        if connection.in_atomic_block or not _DEFINES.match(str(sql)):
            self._attempts.begun = self._attempts.begun or not _SETS.match(str(sql))
            return execute(sql, params, many, context)
        while True:
            try:
                with transaction.atomic(connection.alias):
                    self._limited(connection)
                    result = execute(sql, params, many, context)
                break
            except Error as error:
                if database.sqlstate(error) == _NOT_IN_A_TRANSACTION:  # CONCURRENTLY, which stops nobody
                    self._watcher.limited = False
                    result = execute(sql, params, many, context)
                    break
                self._attempts.failed(error)
            finally:
                self._watcher.limited = False
        self._attempts.begun = True
        return result
