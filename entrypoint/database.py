"""The project's database, as its settings have it: what is wrong with them, and a connection of our own."""

from __future__ import annotations

from typing import Any

from . import origin
from .errors import describe

ALIAS = "default"
CONNECT = 5  # seconds that one connection may take


def problems(aliases: tuple[str, ...]) -> list[str]:
    """What is wrong with these of the settings' DATABASES, as far as it shows without a connection."""
    from django.db import connections

    found = [
        f"MIGRATE_DATABASES names {alias!r}, which is none of the settings' DATABASES: {', '.join(connections)}."
        for alias in aliases
        if alias not in connections.settings
    ]
    return found or [each for alias in aliases for each in _problems_of(alias)]


def _problems_of(alias: str) -> list[str]:
    from django.core.exceptions import ImproperlyConfigured
    from django.db import connections

    settings_dict = connections.settings[alias]
    port = str(settings_dict.get("PORT") or "")
    found = []
    if any(
        part and not (part.isascii() and part.isdecimal() and 0 < int(part) < 65536)
        for part in port.split(",")
    ):
        variable = origin.of("PORT", alias=alias)
        found.append(f"The database's port is {port!r}: use a number from 1 to 65535 ({variable}).")
    try:
        connection = connections[alias]
        if connection.vendor == "postgresql":
            connection.get_connection_params()
    except ImproperlyConfigured as error:
        found.append(f"DATABASES is wrong: {' '.join(str(error).split())}")
    except Exception as error:
        found.append(f"DATABASES is wrong: {describe(error)}.")
    return found


def own_connection(alias: str) -> Any:
    """A connection (not yet open) with the project's settings, apart from the one that the project uses."""
    from django.db import connections

    theirs = connections[alias]
    settings_dict = {**theirs.settings_dict, "CONN_MAX_AGE": 0}
    if theirs.vendor == "postgresql":
        options = dict(settings_dict["OPTIONS"])
        # A pool would outlive us, and a stricter isolation would hold a snapshot while migrations run.
        options.pop("pool", None)
        options.pop("isolation_level", None)
        options["connect_timeout"] = CONNECT
        options.setdefault("keepalives_idle", 30)
        # By it replicas know each other's sessions; an application_name of the project's does as well.
        options.setdefault("fallback_application_name", "entrypoint")
        settings_dict["OPTIONS"] = options
    return type(theirs)(settings_dict, alias)


def name(connection: Any) -> str:
    """The server as a person would name it; never with the password."""
    parameters = connection.get_connection_params()
    if "service" in parameters:
        place = f"service {parameters['service']}"
    else:
        host = str(parameters.get("host") or "the default socket")
        place = host if "host" not in parameters else f"{host}:{parameters.get('port') or 5432}"
    user = f" as user {parameters['user']}" if "user" in parameters else ""
    database = f", database {parameters['dbname']}" if "dbname" in parameters else ""
    return f"PostgreSQL at {place}{database}{user}"


def called(alias: str) -> str:
    """What tells the database from the default one in a sentence; begins with a blank if it is not empty."""
    return "" if alias == ALIAS else f" {alias}"


def place(connection: Any) -> str:
    """Where statements on the connection act, for a sentence, unless it is the usual place; begins with a blank."""
    parts = [connection.alias] if connection.alias != ALIAS else []
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            (schema,) = cursor.fetchone()
        if schema not in (None, "public"):
            parts.append(f"schema {schema}")
    return f" ({', '.join(parts)})" if parts else ""


def read_only(connection: Any) -> str:
    """Why this PostgreSQL takes no writes; "" if it does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
        standby, setting = cursor.fetchone()
    if setting == "off":
        return ""
    return "a hot standby" if standby else "default_transaction_read_only is on"


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of the error that Django has wrapped; "" if there is none."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
