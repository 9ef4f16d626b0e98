"""Stage 2, wait: PostgreSQL is there, and takes the project's own user, password and database.

Errors that waiting can mend are retried until the deadline; errors that it cannot mend end the boot at once.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

from .. import database, log, origin
from ..configuration import Configuration
from ..errors import BootError, ExitCode, describe, lacks_processes, no_process

PAUSE = 2.0  # seconds from one attempt's start to the next one's
TRY = 3  # seconds that one pg_isready may take
REMIND = 10.0  # seconds after which an unchanged reason is logged again

# What waiting cannot mend, by the server's or libpq's own words, with what to do about it, and the keys of DATABASES whose
# origin the advice names. A text that matches none of these (servers also speak other languages) is retried until
# the deadline.
PERMANENT: tuple[tuple[str, ...], ...] = (
    (
        r"password authentication failed|SASL authentication failed|wrong password",
        "check the user and password ({})",
        "USER",
        "PASSWORD",
    ),
    (r"no password supplied", "set the password ({})", "PASSWORD"),
    (
        r"(?:Peer|Ident|GSSAPI|SSPI|LDAP|PAM|RADIUS|certificate) authentication failed",
        "check the server's pg_hba.conf",
    ),
    (r"role \".*\" does not exist|no such user", "create the role, or correct {}", "USER"),
    (r"role \".*\" is not permitted to log in", "give the role LOGIN, or correct {}", "USER"),
    (r"database \".*\" does not exist|no such database", "create the database, or correct {}", "NAME"),
    (
        r"database \".*\" is not currently accepting connections",
        "allow connections to it, or use another one",
    ),
    (r"permission denied for database", "grant the role CONNECT on the database"),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects", "allow this client in the server's pg_hba.conf"),
    (r"server does not support SSL|certificate verify failed", "check sslmode and the certificates"),
    (
        r"root certificate file .* does not exist|does not match host name",
        "check sslmode and the certificates",
    ),
    (r"definition of service .* not found|invalid (?:dsn|connection option|port number)", "check {}"),
    (r"invalid \S+ value|invalid integer value", "check {}"),
)

# What waiting did not mend, though the server was found.
EXHAUSTED = r"too many (?:clients|connections)|connection slots|no more connections allowed"


def wait(configuration: Configuration, meanwhile: Callable[[], None] | None = None) -> dict[str, Any]:
    """Return an open connection of our own to each of MIGRATE_DATABASES, once PostgreSQL takes it.

    None in its place if the database is another one. `meanwhile` is called while pg_isready runs, which leaves the processor to us; at each attempt.

    Raises BootError: DATABASE_REFUSED at once, DATABASE_UNAVAILABLE when the time is up, SERVER if there can
    be no process for pg_isready.
    """
    deadline = time.monotonic() + configuration.database_wait_timeout
    return {
        alias: _connection(configuration, alias, deadline, meanwhile)
        for alias in configuration.migrate_databases
    }


def _connection(
    configuration: Configuration, alias: str, deadline: float, meanwhile: Callable[[], None] | None
) -> Any:
    connection = database.own_connection(alias)
    if connection.vendor != "postgresql":
        log.info(
            f"The database{database.called(alias)} is {connection.display_name}, not PostgreSQL: nothing to wait for."
        )
        return None
    target = database.name(connection)
    limit = configuration.database_wait_timeout
    told, told_at = "", 0.0
    while True:
        began = time.monotonic()
        reason = _attempt(connection, target, deadline, meanwhile)
        if not reason:
            log.info(f"{target} is ready.")
            if not configuration.read_only:
                _warn_if_read_only(connection)
            return connection
        if deadline - max(time.monotonic(), began + PAUSE) < 1.0:  # too little for another attempt
            break
        if reason != told or began - told_at >= REMIND:
            log.info(f"Waiting for {target} (at most {limit} s): {reason}.")
            told, told_at = reason, began
        time.sleep(max(0.0, began + PAUSE - time.monotonic()))
    if re.search(EXHAUSTED, reason):
        advice = "Close some connections (fewer workers or replicas), or raise the limit (max_connections)."
    else:
        address = origin.of("HOST", "PORT", alias=alias)
        advice = f"Check that the server runs and that the address is right ({address})."
    raise BootError(
        ExitCode.DATABASE_UNAVAILABLE, f"{target} was not available within {limit} s: {reason}. {advice}"
    )


def _warn_if_read_only(connection: Any) -> None:
    """Healthy is another matter, and for the project to tell."""
    from django.db import Error

    with contextlib.suppress(Error):  # a connection that broke just now: whoever uses it next tells
        if why := database.read_only(connection):
            host = origin.of("HOST", alias=connection.alias)
            log.warning(
                f"The database{database.called(connection.alias)} takes no writes ({why}): lead {host} to the server that does, or set READ_ONLY=1"
                " if it is meant."
            )


def _attempt(connection: Any, target: str, deadline: float, meanwhile: Callable[[], None] | None) -> str:
    """Try once; "" when the connection is open, else the reason why it is not (worth another try)."""
    left = deadline - time.monotonic()
    answered = _pg_isready(connection.get_connection_params(), left, meanwhile)
    if not answered:
        return f"no answer within {max(1, min(TRY, round(left)))} s"
    from django.db import OperationalError

    options = connection.settings_dict["OPTIONS"]
    # libpq takes whole seconds, and 2 at least.
    options["connect_timeout"] = max(2, min(database.CONNECT, int(deadline - time.monotonic())))
    try:
        connection.ensure_connection()
        return ""
    except OperationalError as error:
        # Django keeps one that broke while it was set up, and would take it for an open one the next time.
        connection.close()
        reason = _reason(str(error))
        for pattern, advice, *keys in PERMANENT:
            if re.search(pattern, reason):
                raise BootError(
                    ExitCode.DATABASE_REFUSED,
                    f"{target} refuses the connection: {reason}; {advice.format(origin.of(*keys, alias=connection.alias))}.",
                ) from error
        return reason
    except Exception as error:  # such as an option that libpq does not know, or a server too old for Django
        raise BootError(
            ExitCode.DATABASE_REFUSED,
            f"{target} cannot be used: {describe(error)}; check {origin.of(alias=connection.alias)}.",
        ) from error


def _pg_isready(parameters: dict[str, Any], left: float, meanwhile: Callable[[], None] | None) -> bool:
    """Whether the server, or the lack of one, answered in time (at most `left` seconds).

    What it answered is left to a real connection to tell: pg_isready does not say whether the connection was
    refused, the host cannot be resolved, or the server is starting up.
    """
    seconds = max(1, min(TRY, int(left)))
    command = ["pg_isready", "-q", "-t", str(seconds)]
    if "service" in parameters:
        command += ["-d", f"service={parameters['service']}"]
    else:
        # Without -U it gives up ("no attempt") where the uid has no name, as in many a container.
        command += ["-U", str(parameters.get("user", "postgres")), "-d", str(parameters["dbname"])]
        for option, name in (("-h", "host"), ("-p", "port")):
            if name in parameters:
                command += [option, str(parameters[name])]
    began = time.monotonic()
    # The pipe's end tells at once that the program has ended; without one, Python looks now and then.
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        if lacks_processes(error):
            raise no_process(error) from error
        raise BootError(
            ExitCode.DATABASE_REFUSED,
            f"The program pg_isready cannot be run: {error.strerror}; put it on PATH.",
        ) from error
    with process:
        if meanwhile:
            meanwhile()
        try:
            # A host with several addresses gets the seconds for each: the deadline holds for all of them.
            process.communicate(timeout=max(0.1, began + left - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    return process.returncode == 0 or time.monotonic() - began < seconds * 0.9


def _reason(text: str) -> str:
    """libpq's message without what is said elsewhere; of several, that about the address tried last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    failures = [line for line in lines if "failed:" in line or "FATAL:" in line] or lines[:1]
    last = failures[-1] if failures else "the server closed the connection"
    last = re.sub(r"^connection to server .*? failed: (?=\S)", "", last)
    last = re.sub(r"^connection failed: (?=\S)", "", last)
    return re.sub(r"^[A-Z]+:\s+", "", last).rstrip(".")
