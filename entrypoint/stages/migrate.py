"""Stage 3, migrate: apply the project's migrations, one replica at a time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import capture, database, log, origin, schema, unfinished
from ..configuration import Configuration
from ..errors import BootError, ExitCode, Interrupted, describe
from ..lockwaits import LockWaits
from ..migration_lock import migration_lock
from ..signals import Deferred


def migrate(
    configuration: Configuration,
    alias: str,
    connection: Any,
    before_changes: Callable[[], None] | None = None,
) -> None:
    """Run Django's system checks and `migrate` for the database `alias`.

    `connection` is one of our own to it, which holds the lock and is closed (None: without a lock).

    `before_changes` is called once if there is something to apply, before the database is changed; it may raise
    BootError.

    Raises BootError: APPLICATION if the checks cannot import the project, MIGRATION_LOCK when another replica
    takes too long, or a session is in the way of a migration for too long, SCHEMA_AHEAD if a later one has migrated and
    that is refused, MIGRATIONS when they fail, Interrupted after a migration during which SIGTERM arrived.
    """
    from django.db import Error

    _check(alias, connection)
    if connection is None:
        _apply(configuration, alias, connection, before_changes)
        return
    try:
        with migration_lock(connection, configuration.migration_lock_timeout):
            _connect(alias)
            _apply(configuration, alias, connection, before_changes)
    except Error as error:
        raise _lost(error) from error
    except BootError as error:
        # A migration that fails may be forgiven; a database that went away is another matter.
        if error.code is ExitCode.MIGRATIONS and not connection.is_usable():
            raise _lost(error) from error
        raise
    finally:
        connection.close()


def _lost(error: Exception) -> BootError:
    reason = " ".join(str(error).split()).rstrip(".")
    return BootError(
        ExitCode.DATABASE_UNAVAILABLE, f"PostgreSQL went away during the migrations: {reason}. See its log."
    )


def _no_second(error: Exception) -> BootError:
    reason = str(error).partition("\n")[0].rstrip(".")
    return BootError(
        ExitCode.DATABASE_UNAVAILABLE,
        f"PostgreSQL gives no second connection: {reason}. Migrating takes two, one of them"
        " to hold the lock: free some or raise max_connections; if a pooler is in between, let it open"
        " at least two connections to the database.",
    )


def _check(alias: str, connection: Any) -> None:
    """Django's system checks, which `manage.py migrate` runs too."""
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError
    from django.db import OperationalError

    lines = capture.Lines()
    try:
        call_command("check", databases=[alias], stdout=lines, stderr=lines, no_color=True)
    except SystemCheckError as error:
        raise BootError(
            ExitCode.MIGRATIONS, f"Django's checks fail: {' '.join(str(error).split())}"
        ) from error
    except Exception as error:
        if connection is not None and isinstance(error, OperationalError):  # some checks ask the server
            raise _no_second(error) from error
        raise BootError(
            ExitCode.APPLICATION, f"The project cannot be imported: {describe(error)}.", cause=error
        ) from error
    lines.finish()


def _connect(alias: str) -> None:
    """Open the connection that migrates, all the way to the server: a pooler takes a client that it cannot serve."""
    from django.db import OperationalError, connections

    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError as error:
        raise _no_second(error) from error


def _apply(
    configuration: Configuration, alias: str, connection: Any, before_changes: Callable[[], None] | None
) -> None:
    from django.core.management import call_command, get_commands, load_command_class
    from django.db import connections

    # Not on the lock's connection, whose transaction would keep the table locked.
    schema.compare(configuration, connections[alias])
    # The project may have a `migrate` of its own.
    app = get_commands()["migrate"]
    command = load_command_class(app, "migrate") if isinstance(app, str) else app
    options = {} if alias == database.ALIAS else {"database": alias}  # which the project's own may not know
    progress = _Progress()
    waits = LockWaits(
        connection,
        configuration.migration_ddl_lock_timeout,
        configuration.migration_lock_timeout,
        progress.deferred,
    )

    process = os.getpid()

    def apply(connection: Any, migration: Any, applied_by_django: Callable[[], Any]) -> Any:
        if os.getpid() != process:  # the project's own command has processes of its own
            return applied_by_django()
        progress.begin(f"{migration}{database.place(connection)}")
        with unfinished.noted(connection, migration):
            state = waits.apply(connection, migration, progress.current, applied_by_django)
        progress.end()
        return state

    lines = capture.Lines()
    failure: BootError | None = None
    try:
        with _first(before_changes), _each_migration(apply):
            call_command(
                command,
                interactive=False,
                verbosity=1,
                stdout=lines,
                stderr=lines,
                no_color=True,
                **options,
            )
    except BootError:
        raise
    except (Exception, SystemExit) as error:
        subject = f"Migration {progress.current} failed" if progress.current else "Migrations failed"
        reason = describe(error)
        if "permission denied" in reason:
            reason += "; grant the database's user the right to create and alter tables"
        if "in a read-only transaction" in reason:
            reason += f"; lead {origin.of('HOST')} to the server that takes writes"
        failure = BootError(ExitCode.MIGRATIONS, f"{subject}: {reason}.", cause=error)
    finally:
        waits.stop()
        progress.release()
        lines.finish()
        connections.close_all()
    if failure:
        raise progress.interruption(failure) if progress.deferred.received else failure


@contextlib.contextmanager
def _each_migration(apply: Callable[[Any, Any, Callable[[], Any]], Any]) -> Iterator[None]:
    """Have Django call `apply` for each migration that it applies, whatever the command that has it do so.

    `apply` gets the connection, the migration, and what Django would do, which may be called more than once.
    """
    from django.core.management.commands.migrate import Command
    from django.db.migrations.executor import MigrationExecutor

    original, progress = MigrationExecutor.apply_migration, Command.migration_progress_callback

    def apply_migration(
        self: Any, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False
    ) -> Any:
        # A migration changes the state that it is given.
        return apply(
            self.connection, migration, lambda: original(self, state.clone(), migration, fake, fake_initial)
        )

    MigrationExecutor.apply_migration = apply_migration
    Command.migration_progress_callback = lambda *_, **__: None  # what it would print, the log has
    try:
        yield
    finally:
        MigrationExecutor.apply_migration = original
        Command.migration_progress_callback = progress


@contextlib.contextmanager
def _first(before_changes: Callable[[], None] | None) -> Iterator[None]:
    """Call it when Django has a plan that is not empty and has not begun with it."""
    from django.db.models.signals import pre_migrate

    left = [before_changes] if before_changes else []

    def receive(plan: Any = (), **_: object) -> None:
        if plan and left:
            left.pop()()

    pre_migrate.connect(receive)
    try:
        yield
    finally:
        pre_migrate.disconnect(receive)


class _Progress:
    """What the log says of each migration. While one is being applied, SIGTERM and SIGINT are deferred."""

    def __init__(self) -> None:
        self.current = ""
        self.deferred = Deferred()
        self._began = 0.0

    def begin(self, migration: str) -> None:
        self.current = migration
        log.info(f"Applying {self.current}.", migration=self.current)
        self._began = time.monotonic()
        self.deferred.hold()

    def end(self) -> None:
        self.release()
        seconds = round(time.monotonic() - self._began, 3)
        log.info(f"Applied {self.current} in {seconds} s.", migration=self.current, seconds=seconds)
        if self.deferred.received:
            raise self.interruption()
        self.current = ""

    def release(self) -> None:
        self.deferred.release()

    def interruption(self, failure: BootError | None = None) -> Interrupted:
        number = self.deferred.received
        assert number is not None
        outcome = (
            str(failure) if failure else f"{self.current} was done; the next start continues from there."
        )
        when = "while migrating. " if failure else "once "
        return Interrupted(ExitCode[number.name], f"Stopped by {number.name}, {when}{outcome}")
