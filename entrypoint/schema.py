"""A database that is ahead: a later release has applied migrations that this one does not have."""

from __future__ import annotations

from typing import Any

from . import database, log
from .configuration import Configuration
from .errors import BootError, ExitCode, describe

NAMED = 10  # migrations that a record names


def compare(configuration: Configuration, connection: Any) -> list[tuple[str, str]]:
    """Warn of migrations of installed apps that are applied in the database of `connection`, and not on disk.

    Returns the rows of django_migrations, as far as they can be told.

    Raises BootError: SCHEMA_AHEAD if there are some, or if it cannot be told, and SCHEMA_AHEAD=refuse.
    """
    the_database = f"the database{database.called(connection.alias)}"
    try:
        applied = applied_migrations(connection)
        ahead = _ahead(applied)
    except Exception as error:  # no right to read the table, a migration that cannot be imported
        sentence = f"It cannot be told whether {the_database} is ahead of this release: {describe(error)}."
        _refuse_or_warn(configuration, sentence, error)
        return []
    if ahead:
        named = ", ".join(ahead[:NAMED])
        more = f" and {len(ahead) - NAMED} more" if len(ahead) > NAMED else ""
        _refuse_or_warn(
            configuration,
            f"T{the_database[1:]} is ahead of this release, which does not have these applied migrations: {named}{more}."
            " Start the release that has them, or let that one roll them back (manage migrate APP NAME).",
        )
    return applied


def _refuse_or_warn(configuration: Configuration, sentence: str, cause: Exception | None = None) -> None:
    if configuration.schema_ahead == "refuse":
        raise BootError(ExitCode.SCHEMA_AHEAD, f"{sentence} SCHEMA_AHEAD=warn starts all the same.", cause)
    log.warning(sentence)


def _ahead(applied: list[tuple[str, str]]) -> list[str]:
    """Those among `applied`, as app.name, in the order in which they were applied."""
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    on_disk = set(loader.disk_migrations)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    found, begun = [], set()
    for app, name in applied:
        if (app, name) in on_disk:
            begun.add(app)
        elif app in loader.migrated_apps and (app, name) not in replaced:
            found.append((app, name, app in begun))
    # Older than all that are on disk: what a squashed migration replaced before it forgot what it replaces.
    return [f"{app}.{name}" for app, name, later in found if later or app not in begun]


def applied_migrations(connection: Any) -> list[tuple[str, str]]:
    """The rows of django_migrations, oldest first; none if there is no such table."""
    from django.db.migrations.recorder import MigrationRecorder

    table = MigrationRecorder.Migration._meta.db_table
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return []
        cursor.execute(f"SELECT app, name FROM {connection.ops.quote_name(table)} ORDER BY id")
        return [(app, name) for app, name in cursor.fetchall()]
