"""Waiting until somebody else has migrated the database: a worker, a scheduler or a job uses it, and migrates nothing."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from . import database, log, migration_lock, schema
from .configuration import Configuration
from .errors import BootError, ExitCode, describe

POLL = 1.0  # seconds
REMIND = 30.0  # seconds
NAMED = 10  # migrations that a record names


def until_migrated(configuration: Configuration, owned: dict[str, Any]) -> None:
    """Return once every migration that this release has is applied to each of these databases.

    Closes the connections that stand by their aliases (None: PostgreSQL is not used).

    Raises BootError: NOT_MIGRATED after MIGRATION_LOCK_TIMEOUT, MIGRATIONS if the release's own cannot be read,
    DATABASE_UNAVAILABLE if the server goes away, SCHEMA_AHEAD if a later release has migrated and that is refused.
    """
    from django.db import Error

    deadline = time.monotonic() + configuration.migration_lock_timeout
    for alias, connection in owned.items():
        try:
            with contextlib.closing(connection or database.own_connection(alias)) as own:
                _wait(own, deadline, configuration.migration_lock_timeout)
                schema.compare(configuration, own)
        except Error as error:
            raise BootError(
                ExitCode.DATABASE_UNAVAILABLE,
                f"The database{database.called(alias)} went away while we waited for its migrations: {describe(error)}. See its log.",
            ) from error


def _wait(connection: Any, deadline: float, limit: int) -> None:
    which = database.called(connection.alias)
    told_at = float("-inf")
    applied: list[tuple[str, str]] | None = None
    missing: list[str] = []
    while True:
        # One query; the files are looked at again only if it shows something new.
        found = schema.applied_migrations(connection)
        if found != applied:
            applied, missing = found, _missing(connection)
        if not missing:
            log.info(f"Every migration of this release is applied{which and f' to{which}'}.")
            return
        now = time.monotonic()
        if now >= deadline:
            raise BootError(
                ExitCode.NOT_MIGRATED,
                f"After {limit} s these migrations are not applied{which and f' to{which}'}: {_named(missing)}. {_who(connection)}:"
                " start what applies them (the command migrate, or a server with RUN_MIGRATIONS=1) and see its log,"
                " or raise MIGRATION_LOCK_TIMEOUT.",
            )
        if now - told_at >= REMIND:
            log.info(
                f"Waiting for these migrations{which and f' of{which}'} (at most {limit} s): {_named(missing)}. {_who(connection)}."
            )
            told_at = now
        time.sleep(min(POLL, deadline - now))


def _missing(connection: Any) -> list[str]:
    """What `migrate` would apply, in its order."""
    from django.db import Error
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        raise
    except Exception as error:
        raise BootError(
            ExitCode.MIGRATIONS, f"The migrations cannot be read: {describe(error)}.", cause=error
        ) from error
    return [str(migration) for migration, _ in plan]


def _named(missing: list[str]) -> str:
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return ", ".join(missing[:NAMED]) + more


def _who(connection: Any) -> str:
    """Who applies them just now, as the beginning of a sentence."""
    found = ""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            found = migration_lock.holder(cursor)
    return found or "Nobody applies any just now"
