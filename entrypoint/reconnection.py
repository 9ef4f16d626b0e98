"""A request that has asked the database nothing yet outlives a short outage of it, such as a restart.

Nothing has been sent then, so that nothing can be done twice, whatever the request is about to do.
"""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import log
from .stages.wait import PERMANENT

# Seconds, in all, that a worker waits in one outage: more than a restart of 2 s takes to be noticed.
PATIENCE = 2.5
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.2  # seconds between two attempts
ANOTHER = 10.0  # seconds without an attempt, after which the next failure is of another outage


@dataclass
class Outage:
    """A database takes no connections; times are monotonic seconds."""

    began: float
    tried: float


_outages: dict[str, Outage] = {}  # by the database's alias; of this worker


def outlive() -> None:
    """From now on, all connections of Django's to PostgreSQL behave so."""
    from django.db.backends.postgresql.base import DatabaseWrapper

    DatabaseWrapper.get_new_connection = patient(DatabaseWrapper.get_new_connection)
    DatabaseWrapper.close_if_health_check_failed = watchful(DatabaseWrapper.close_if_health_check_failed)


def patient(connect: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method that connects, but that it tries again while the server cannot be reached, starts or stops.

    Once a worker has waited in vain, its next attempts fail at once, until one succeeds: else, in a long outage, all
    workers would wait all the time, and nobody would answer what needs no database.
    """

    def get_new_connection(self: Any, conn_params: Any) -> Any:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                connection = connect(self, conn_params)
            except self.Database.OperationalError as error:
                left = _noticed(self.alias, began).began + PATIENCE - time.monotonic()
                # A pool waits by itself.
                if left <= 0 or is_permanent(str(error)) or getattr(self, "pool", None):
                    raise
                time.sleep(min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                _ended(self.alias)
                return connection

    return get_new_connection


def is_permanent(reason: str) -> bool:
    """Whether this is an answer that waiting does not change, by its text: psycopg2 has no code for it."""
    return any(re.search(pattern, reason) for pattern, *_ in PERMANENT)


def is_out() -> bool:
    """Whether this worker's last attempt to connect has failed, to any database."""
    return bool(_outages)


def _noticed(alias: str, began: float) -> Outage:
    """Of which outage an attempt's failure is."""
    outage = _outages.get(alias)
    if outage is None or began > outage.tried + ANOTHER:
        outage = _outages[alias] = Outage(began, began)
    outage.tried = time.monotonic()
    return outage


def _ended(alias: str) -> None:
    if outage := _outages.pop(alias, None):
        seconds = time.monotonic() - outage.began
        log.warning(f"The database {alias!r} took no connection for {seconds:.1f} s.")


def watchful(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """The method that, before a request's first statement, gives up a kept connection that is broken.

    Django asks the server, if CONN_HEALTH_CHECKS is set. Else a look at the socket tells, which costs nothing: a server
    says nothing on an idle connection, unless it ends it.
    """

    def close_if_health_check_failed(self: Any) -> None:
        check(self)
        if self.connection is None or self.health_check_done or self.in_atomic_block:
            return
        self.health_check_done = True
        if _has_something_to_read(self.connection) and not self.is_usable():
            self.close()

    return close_if_health_check_failed


def _has_something_to_read(connection: Any) -> bool:
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
    except Exception:  # it is closed, which psycopg says in its own way
        return True
    return bool(poll.poll(0))
