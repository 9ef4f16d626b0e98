"""Whether the database takes what this replica writes: asked on the worker's own connection, at most once a second."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.db import connection

DEADLINE = 3.0  # seconds for the database to answer; as many as config.database has to connect
FRESH = 1.0  # seconds for which an answer counts

QUERY = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"


class State(NamedTuple):
    """`database` is for whoever asks, `problem` for the log alone, and empty when this replica can serve."""

    database: str
    problem: str


class Readiness:
    """One for a worker, whatever the number of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._state = State("", "")

    def state(self) -> tuple[State, bool]:
        """The state, and whether the database has been asked for it just now."""
        with self._lock:
            if time.monotonic() < self._until:
                return self._state, False
            self._state = look()
            self._until = time.monotonic() + FRESH
            return self._state, True


def look() -> State:
    """Ask the database."""
    try:
        read_only = ask_database()
    except Exception as error:  # noqa: BLE001 -- whatever it is, this replica is not ready
        reason = " ".join(str(error).split()) or type(error).__name__
        return State("unavailable", f"the database does not answer: {reason}")
    if not read_only:
        return State("ok", "")
    meant = (
        "" if settings.READ_ONLY else f"the database is read-only ({read_only}), and READ_ONLY=1 is not set"
    )
    return State("read-only", meant)


def ask_database() -> str:
    """Why the database takes no writes; "" if it does. Raises whatever keeps it from an answer."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return ""
    deadline = time.monotonic() + DEADLINE
    kept = connection.connection is not None
    try:
        return ask_postgresql(deadline)
    except TimeoutError:
        raise
    except Exception:
        if not kept:
            raise
    return ask_postgresql(
        deadline
    )  # the kept connection was broken, which need not be today's server's fault


def ask_postgresql(deadline: float) -> str:
    """The same, by `deadline` (monotonic) at the latest; a connection that fails is closed."""
    connection.ensure_connection()
    try:
        with cut_off(connection.connection.fileno(), deadline), connection.connection.cursor() as cursor:
            cursor.execute(QUERY)
            standby, read_only = cursor.fetchone()
    except Exception:
        connection.close()
        raise
    if read_only == "off":
        return ""
    return "a hot standby" if standby else "default_transaction_read_only"


@contextlib.contextmanager
def cut_off(descriptor: int, deadline: float) -> Iterator[None]:
    """End the connection with this descriptor at the deadline; raise TimeoutError then.

    A server that is suspended, or that has vanished from the network, takes the packets and never answers.
    """
    peer = socket.socket(fileno=os.dup(descriptor))
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):  # it has ended by itself
            peer.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        peer.close()
        if late.is_set():
            raise TimeoutError(f"no answer within {DEADLINE:g} seconds") from None
