"""Every environment variable that the entrypoint reads: name, default, what it accepts, what it is for.

The table is the single source: parsing (configuration.py), the log of the configuration and the test of docs/boot.md read it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a variable's value must look like."""

    FLAG = "flag"
    INTEGER = "integer"
    MODULE = "module"
    APPLICATION = "module:name"
    ADDRESS = "host:port"
    CHOICE = "choice"
    PATH = "path"
    NAMES = "names"
    WORDS = "words as in a shell"
    TEXT = "text"
    SECRET = "secret"


class Variable(NamedTuple):
    """One row of the table. `default` is as documented; `low` and `high` bound an integer, inclusively."""

    name: str
    kind: Kind
    default: str
    purpose: str
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()


VARIABLES = (
    Variable(
        "DJANGO_SETTINGS_MODULE",
        Kind.MODULE,
        "config.settings.production",
        "The settings module; exported before anything of Django runs.",
    ),
    Variable(
        "DJANGO_CONFIGURATION",
        Kind.TEXT,
        "",
        "The class in that module which has the settings, of a project with django-configurations.",
    ),
    Variable("WSGI_APPLICATION", Kind.APPLICATION, "config.wsgi:application", "What gunicorn serves."),
    Variable(
        "ASGI_APPLICATION",
        Kind.APPLICATION,
        "",
        "What gunicorn's ASGI worker serves, instead of WSGI_APPLICATION; needs gunicorn 27.",
    ),
    Variable("RUN_MIGRATIONS", Kind.FLAG, "1", "Apply migrations at start; 0 skips them."),
    Variable(
        "MIGRATE_DATABASES",
        Kind.NAMES,
        "default",
        "Which of the settings' DATABASES are waited for and migrated, in this order; separated by commas.",
    ),
    Variable(
        "MIGRATIONS_STRICT",
        Kind.FLAG,
        "1",
        "0 is the emergency mode: failures of migrate, collectstatic and the superuser are warnings.",
    ),
    Variable(
        "SCHEMA_AHEAD",
        Kind.CHOICE,
        "warn",
        "What to do if a later release has applied migrations that this one does not have.",
        choices=("warn", "refuse"),
    ),
    Variable(
        "READ_ONLY",
        Kind.FLAG,
        "0",
        "1: the database is meant to take no writes, as a standby does; nothing is written into it at start.",
    ),
    Variable("RUN_COLLECTSTATIC", Kind.FLAG, "1", "Collect static files at start; 0 skips it."),
    Variable(
        "DJANGO_COLLECTSTATIC", Kind.FLAG, "1", "Another name of RUN_COLLECTSTATIC; both set must agree."
    ),
    Variable(
        "DATABASE_WAIT_TIMEOUT",
        Kind.INTEGER,
        "60",
        "Seconds to wait for PostgreSQL, in all; attempts are 2 s apart.",
        low=1,
        high=3600,
    ),
    Variable(
        "MIGRATION_LOCK_TIMEOUT",
        Kind.INTEGER,
        "600",
        "Seconds to wait while another replica applies migrations, and as many for locks that migrations need.",
        low=1,
        high=86400,
    ),
    Variable(
        "MIGRATION_DDL_LOCK_TIMEOUT",
        Kind.INTEGER,
        "3",
        "Seconds that a migration waits for a lock before it lets others pass and tries again.",
        low=1,
        high=3600,
    ),
    Variable(
        "WEB_CONCURRENCY",
        Kind.INTEGER,
        "cores * 2 + 1",
        "Worker processes. Cores are those that the container may use (CPU quota, affinity).",
        low=1,
        high=1000,
    ),
    Variable(
        "GUNICORN_TIMEOUT",
        Kind.INTEGER,
        "140",
        "Seconds that one request may take.",
        low=1,
        high=86400,
    ),
    Variable(
        "GUNICORN_GRACEFUL_TIMEOUT",
        Kind.INTEGER,
        "8",
        "Seconds that requests in flight have to finish after SIGTERM (Docker kills after 10).",
        low=1,
        high=3600,
    ),
    Variable(
        "MAX_REQUEST_BODY",
        Kind.INTEGER,
        "32",
        "Megabytes (1048576 bytes) that a request's body may have; a larger one is answered 413, before it is read.",
        low=1,
        high=100000,
    ),
    Variable("GUNICORN_BIND", Kind.ADDRESS, "0.0.0.0:8000", "Address and port to serve; IPv6 as [::]:8000."),
    Variable(
        "PORT",
        Kind.INTEGER,
        "",
        "The port to serve, on 0.0.0.0, if GUNICORN_BIND is not set: what Cloud Run, Heroku and others say.",
        low=1,
        high=65535,
    ),
    Variable(
        "GUNICORN_CMD_ARGS",
        Kind.WORDS,
        "",
        "gunicorn's command line options; they win over everything else.",
    ),
    Variable(
        "GUNICORN_LOG_TO_FILES",
        Kind.FLAG,
        "0",
        "1 writes gunicorn's logs to logs/gunicorn_access.log and logs/gunicorn_error.log.",
    ),
    Variable(
        "LOG_FORMAT",
        Kind.CHOICE,
        "json, or console on a terminal",
        "json: one object per line. console: lines for people.",
        choices=("json", "console"),
    ),
    Variable(
        "METRICS_BIND",
        Kind.ADDRESS,
        "",
        "Address and port at which /metrics is served, for Prometheus; not set, nowhere.",
    ),
    Variable("HEALTHCHECK_PATH", Kind.PATH, "/api/health/", "What the command `healthcheck` requests."),
    Variable(
        "HEALTHCHECK_COMMAND",
        Kind.WORDS,
        "",
        "What the command `healthcheck` runs instead: a program, or manage and its arguments.",
    ),
    Variable(
        "DJANGO_SUPERUSER_USERNAME",
        Kind.TEXT,
        "",
        "With DJANGO_SUPERUSER_PASSWORD: this superuser is created if there is none of that name.",
    ),
    Variable("DJANGO_SUPERUSER_EMAIL", Kind.TEXT, "", "The superuser's e-mail address."),
    Variable("DJANGO_SUPERUSER_PASSWORD", Kind.SECRET, "", "The superuser's password."),
)

# Each of these may also be given as a file, named by the variable NAME_FILE.
SECRETS = ("SECRET_KEY", "POSTGRES_PASSWORD", "DJANGO_SUPERUSER_PASSWORD")

BY_NAME = {variable.name: variable for variable in VARIABLES}
