"""The configuration: what the environment variables say, parsed, and what is wrong with them."""

from __future__ import annotations

import difflib
import ipaddress
import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from .cores import usable_cores
from .variables import BY_NAME, Kind

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_MODULE = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_HOST_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"


class Configuration(NamedTuple):
    """What the variables say. Times are in seconds; `explicit` names the variables that were set."""

    settings_module: str
    settings_class: str
    wsgi_application: str
    asgi_application: str
    run_migrations: bool
    migrate_databases: tuple[str, ...]
    strict: bool
    schema_ahead: str
    read_only: bool
    run_collectstatic: bool
    database_wait_timeout: int
    migration_lock_timeout: int
    migration_ddl_lock_timeout: int
    workers: int
    timeout: int
    graceful_timeout: int
    max_request_body: int
    host: str
    port: int
    gunicorn_arguments: tuple[str, ...]
    log_to_files: bool
    metrics: tuple[str, int] | None
    healthcheck_path: str
    healthcheck_command: tuple[str, ...]
    superuser: bool
    explicit: frozenset[str]

    @property
    def application(self) -> str:
        """What is served, as module:name."""
        return self.asgi_application or self.wsgi_application

    @property
    def bind(self) -> str:
        """The address in gunicorn's notation."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read(environ: Mapping[str, str], problems: dict[str, str]) -> Configuration:
    """Parse all variables. What is wrong goes to `problems`, by variable; a harmless value stands in."""
    reader = _Reader(environ, problems)
    host, port = reader.address("GUNICORN_BIND")
    if environ.get("PORT") and not environ.get("GUNICORN_BIND"):
        port = reader.integer("PORT")
    reader.choice("LOG_FORMAT")
    return Configuration(
        settings_module=reader.text("DJANGO_SETTINGS_MODULE"),
        settings_class=reader.text("DJANGO_CONFIGURATION"),
        wsgi_application=reader.text("WSGI_APPLICATION"),
        asgi_application=reader.text("ASGI_APPLICATION") if environ.get("ASGI_APPLICATION") else "",
        run_migrations=reader.flag("RUN_MIGRATIONS"),
        migrate_databases=reader.names("MIGRATE_DATABASES"),
        strict=reader.flag("MIGRATIONS_STRICT"),
        schema_ahead=reader.choice("SCHEMA_AHEAD"),
        read_only=reader.flag("READ_ONLY"),
        run_collectstatic=reader.agreeing_flags("RUN_COLLECTSTATIC", "DJANGO_COLLECTSTATIC"),
        database_wait_timeout=reader.integer("DATABASE_WAIT_TIMEOUT"),
        migration_lock_timeout=reader.integer("MIGRATION_LOCK_TIMEOUT"),
        migration_ddl_lock_timeout=reader.integer("MIGRATION_DDL_LOCK_TIMEOUT"),
        workers=reader.workers("WEB_CONCURRENCY"),
        timeout=reader.integer("GUNICORN_TIMEOUT"),
        graceful_timeout=reader.integer("GUNICORN_GRACEFUL_TIMEOUT"),
        max_request_body=reader.integer("MAX_REQUEST_BODY"),
        host=host,
        port=port,
        gunicorn_arguments=reader.words("GUNICORN_CMD_ARGS"),
        log_to_files=reader.flag("GUNICORN_LOG_TO_FILES"),
        metrics=reader.address("METRICS_BIND") if environ.get("METRICS_BIND") else None,
        healthcheck_path=reader.text("HEALTHCHECK_PATH"),
        healthcheck_command=reader.words("HEALTHCHECK_COMMAND"),
        superuser=reader.superuser(),
        explicit=frozenset(name for name in BY_NAME if environ.get(name)),
    )


def misspelt(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names in the environment that look like one of ours and are none, each with the one it looks like."""
    ours = [*BY_NAME, "DJANGO_SUPERUSER_PASSWORD_FILE"]
    found = []
    for name in environ:
        if name in ours:
            continue
        # 0.92: one letter too many, too few, wrong or swapped in a name of this length, and no more.
        close = difflib.get_close_matches(name.upper(), ours, n=1, cutoff=0.92)
        if close:
            found.append((name, close[0]))
    return found


class _Reader:
    """Looks values up and notes what is wrong with them. An empty value is the same as none."""

    def __init__(self, environ: Mapping[str, str], problems: dict[str, str]) -> None:
        self._environ = environ
        self._problems = problems

    def flag(self, name: str) -> bool:
        value = self._value(name).strip().lower()
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        self._refuse(name, "use 1, true, yes or on, or 0, false, no or off")
        return BY_NAME[name].default in _TRUE

    def agreeing_flags(self, name: str, other: str) -> bool:
        value, other_value = self.flag(name), self.flag(other)
        given = [each for each in (name, other) if self._environ.get(each)]
        if len(given) == 2 and value != other_value and not {name, other} & self._problems.keys():
            self._problems[name] = (
                f"{name} and {other} contradict each other: set one of them, or both alike."
            )
        return other_value if given == [other] else value

    def integer(self, name: str) -> int:
        variable = BY_NAME[name]
        value = self._value(name).strip()
        if re.fullmatch(r"0|[1-9][0-9]{0,8}", value) and variable.low <= int(value) <= variable.high:
            return int(value)
        self._refuse(name, f"use a whole number from {variable.low} to {variable.high}")
        return variable.low

    def workers(self, name: str) -> int:
        return self.integer(name) if self._environ.get(name) else usable_cores() * 2 + 1

    def text(self, name: str) -> str:
        variable = BY_NAME[name]
        value = self._value(name)
        if variable.kind is Kind.MODULE and not re.fullmatch(_MODULE, value):
            self._refuse(name, "use a module's name, such as config.settings.production")
        elif variable.kind is Kind.APPLICATION and not re.fullmatch(
            rf"{_MODULE}(?::[^\W\d]\w*(?:\(.*\))?)?", value
        ):
            self._refuse(name, "use module:name, such as config.wsgi:application")
        elif variable.kind is Kind.PATH and not re.fullmatch(r"/[!-~]*", value):
            self._refuse(name, "use a path that starts with / and has no blanks, such as /api/health/")
        else:
            return value
        return variable.default

    def words(self, name: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(self._value(name)))
        except ValueError as error:
            self._refuse(name, f"quote it as in a shell ({str(error).lower()})")
            return ()

    def names(self, name: str) -> tuple[str, ...]:
        found = tuple(each.strip() for each in self._value(name).split(","))
        if all(found) and len(set(found)) == len(found):
            return found
        self._refuse(name, f"use different names, separated by commas, such as {BY_NAME[name].default},other")
        return (BY_NAME[name].default,)

    def choice(self, name: str) -> str:
        variable = BY_NAME[name]
        value = self._environ.get(name, "").strip().lower()
        if value in variable.choices:
            return value
        if self._environ.get(name):
            self._refuse(name, f"use {' or '.join(variable.choices)}")
        return variable.default

    def address(self, name: str) -> tuple[str, int]:
        host, _, port = self._value(name).rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if (
            (_is_ip(bare, 6) if bare != host else _is_ip(host, 4) or _is_host_name(host))
            and re.fullmatch(r"[1-9][0-9]{0,4}", port)
            and int(port) <= 65535
        ):
            return bare, int(port)
        self._refuse(name, "use host:port, such as 0.0.0.0:8000 or [::]:8000, with a port from 1 to 65535")
        default_host, _, default_port = (BY_NAME[name].default or "127.0.0.1:9000").rpartition(":")
        return default_host, int(default_port)

    def superuser(self) -> bool:
        username, password = "DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD"
        given = [name for name in (username, password) if self._environ.get(name)]
        if self._problems.keys() & {password}:
            return False  # a password file that cannot be read has been reported
        if given == [username]:
            self._problems[password] = f"{username} is set without {password}: set both, or neither."
        elif given == [password] or (not given and self._environ.get("DJANGO_SUPERUSER_EMAIL")):
            missing = username if given else f"{username} and {password}"
            set_one = password if given else "DJANGO_SUPERUSER_EMAIL"
            self._problems[username] = f"{set_one} is set without {missing}: set all of them, or none."
        return len(given) == 2

    def _value(self, name: str) -> str:
        return self._environ.get(name) or BY_NAME[name].default

    def _refuse(self, name: str, advice: str) -> None:
        value = self._environ.get(name, "")
        shown = repr(value if len(value) <= 60 else value[:60] + "...")
        self._problems[name] = f"{name} is {shown}: {advice}."


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _is_host_name(text: str) -> bool:
    # A name of digits and dots alone is a mistyped address.
    return bool(re.fullmatch(_HOST_NAME, text)) and not re.fullmatch(r"[0-9.]+", text)
