"""Who keeps a migration waiting: looked for by a thread, because the migrating one is in libpq all the while."""

from __future__ import annotations

import os
import secrets
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from . import log, sessions
from .errors import lacks_processes, no_process
from .signals import STOPPING

REMIND = 30.0  # seconds

_BLOCKERS = f"""
    SELECT {sessions.COLUMNS}
    FROM (SELECT DISTINCT unnest(pg_blocking_pids(pid)) AS blocker
          FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock') AS waiting
    LEFT JOIN pg_stat_activity ON pid = blocker
    ORDER BY pid
"""
_CANCEL = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'
"""
_END = 0  # no signal has this number


class Watcher:
    """Looks at the session that calls itself `name`, on the connection that holds the migration lock.

    By its name, not by its pid: what a pooler tells of pids is made up. `blockers` is who was in the way when it
    was last seen to wait. Where it waits without limit (`limited` is False), the log says so meanwhile. A wait that
    may be cut short is cut short at SIGTERM and SIGINT.
    """

    def __init__(self, connection: Any, pause: float) -> None:
        self.name = f"entrypoint migrates {secrets.token_hex(4)}"
        self.limited = True
        self.blockers = ""
        self._connection = connection
        self._pause = pause
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, if that has not begun. Raises BootError: SERVER if there can be no thread."""
        if self._thread:
            return
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            os.close(self._reader)
            os.close(self._writer)
            if lacks_processes(error):
                raise no_process(error) from error
            raise
        self._thread = thread
        # Python's own handlers run only once libpq returns.
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def stop(self) -> None:
        """Leave no thread, and the connection to its owner."""
        if self._thread:
            signal.set_wakeup_fd(-1)
            os.write(self._writer, bytes([_END]))
            self._thread.join()
            self._thread = None
            os.close(self._reader)
            os.close(self._writer)

    def _run(self) -> None:
        stopping = False
        remind = _Reminder(lambda: log.info(f"It waits for a lock. In the way: {self.blockers}."))
        while True:
            if select.select([self._reader], [], [], self._pause)[0]:
                received = os.read(self._reader, 64)
                if _END in received:
                    return
                stopping |= any(number in received for number in STOPPING)
            try:
                waits = self._look(stopping)
            except Exception:  # the connection is lost, which whoever gives the lock back will tell
                return
            if waits and not self.limited:
                remind()

    def _look(self, stopping: bool) -> bool:
        # Not by Django's cursor, which is for the thread that made it.
        with self._connection.connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else it stays what it was in this transaction
            cursor.execute(_BLOCKERS, [self.name])
            rows = cursor.fetchall()
            if rows:
                self.blockers = "; ".join(sessions.described(*row) for row in rows)
                if stopping and self.limited:
                    cursor.execute(_CANCEL, [self.name])
        return bool(rows)


class _Reminder:
    """Does it when called, but not more often than every REMIND seconds."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._last = float("-inf")

    def __call__(self) -> None:
        if time.monotonic() - self._last >= REMIND:
            self._last = time.monotonic()
            self._action()
