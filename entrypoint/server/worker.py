"""gunicorn's sync worker, but that it waits for no client.

Five clients who send half a request, or take their answers slowly, would stop five workers. Here a connection is
accepted, and looked at; its request is handled once the kernel has all of it, and what the client does not take of the
answer is left to a thread. In between it is gunicorn's: one request at a time, in one thread.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import time
from typing import Any

from gunicorn.workers import sync

from .. import request_id
from .connection import PATIENCE, Connection
from .departures import Departures

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TURN = 1.0  # seconds after which an idle worker looks around
POLL = 0.05  # seconds, while it stops
HESITATION = 1.0  # seconds in which a client that has connected may yet begin its request, when it stops


class SyncWorker(sync.SyncWorker):  # type: ignore[misc]  # gunicorn has no types
    """One request at a time, none of which waits for its client.

    With `threads` gunicorn takes its own threaded worker instead, as it does for its own class of this name.
    """

    takes_over = True  # connections from the master, when it stops

    def run(self) -> None:
        """Accept and handle until told to stop; then finish what has begun. Called by gunicorn."""
        if self.cfg.is_ssl:  # a look at the connection shows nothing
            super().run()
            return
        for listener in self.sockets:
            listener.setblocking(False)
        self._arriving: set[Connection] = set()
        self._departures = Departures(self._longest)
        self._most = min(self.cfg.worker_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._next_round = 0.0
        self._selector = selectors.DefaultSelector()
        for each in self.wait_fds:
            self._selector.register(each, selectors.EVENT_READ)
        self._handover = self.app.handover
        self._selector.register(self._handover.hears, selectors.EVENT_READ, self._handover)
        while self.alive:
            self.notify()
            if self._accept():
                self._look(0)
            elif self.is_parent_alive():
                self._look(TURN)
            else:
                return
        self._finish()

    @property
    def _longest(self) -> float:
        """Seconds in which a request must be there, and its answer be taken."""
        return float(self.cfg.timeout or 140)

    def _accept(self) -> bool:
        """Take one connection from each listener; whether there was any."""
        found = False
        for listener in self.sockets:
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            found = True
            self._examine(Connection(sock, address, listener, self.app.largest_body))
        return found

    def _take_over(self) -> bool:
        """Take a connection that the master has accepted; whether there was any."""
        taken = self._handover.take()
        if taken:
            number, sock, address = taken
            self.notify()
            self._examine(Connection(sock, address, self.sockets[number], self.app.largest_body))
        return bool(taken)

    def _examine(self, connection: Connection) -> None:
        """Handle the request if all of it is there; else remember the connection."""
        known = connection in self._arriving
        try:
            if connection.is_whole():
                self._forget(connection)
                self._handle(connection)
                return
        except OSError:
            self._drop(connection)
            return
        if not known:
            if len(self._arriving) + len(self._departures) >= self._most:
                self._make_room()
            self._arriving.add(connection)
            self._selector.register(connection.sock, selectors.EVENT_READ, connection)

    def _handle(self, connection: Connection) -> None:
        try:
            self.handle(connection.listener, connection, connection.address)
        finally:
            self._departures.take(connection)

    def handle(self, *arguments: Any) -> None:
        """Handle one request, and what it fails with. Called by gunicorn too."""
        try:
            super().handle(*arguments)
        finally:
            request_id.end()

    def _make_room(self) -> None:
        """Give up whoever has been here for longest."""
        if self._arriving:
            self._drop(min(self._arriving, key=lambda each: each.arrived))
        else:
            self._departures.cut_oldest()

    def _look(self, seconds: float) -> None:
        """Examine the connections on which something has arrived; wait so long for that. Drop those that are late."""
        if not seconds and not self._arriving:
            return
        for key, _ in self._selector.select(seconds):
            if key.fd == self.PIPE[0]:
                os.read(key.fd, 64)
            elif key.data is self._handover:
                self._take_over()
            elif key.data:
                self.notify()
                self._examine(key.data)
        now = time.monotonic()
        if now >= self._next_round:
            self._next_round = now + TURN
            for each in list(self._arriving):
                if now > each.arrived + (self._longest if each.length >= 0 else PATIENCE):
                    self._refuse(each)

    def _forget(self, connection: Connection) -> None:
        if connection in self._arriving:
            self._arriving.remove(connection)
            self._selector.unregister(connection.sock)

    def _refuse(self, connection: Connection) -> None:
        """Tell a client that it has been too slow."""
        self._forget(connection)
        with contextlib.suppress(OSError):
            connection.sendall(TIMED_OUT if connection.begun else b"")
        self._departures.take(connection)

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.drop()

    def _finish(self) -> None:
        """Handle the requests that have begun to arrive, and see the answers off; for the grace period at most."""
        for listener in self.sockets:
            self._selector.unregister(listener)
        until = time.monotonic() + self.cfg.graceful_timeout
        while (now := time.monotonic()) < until:
            self.notify()
            if self._take_over():
                continue
            for each in [
                each for each in self._arriving if not each.begun and each.arrived < now - HESITATION
            ]:
                self._drop(each)
            if not (self._arriving or self._departures):
                return
            self._look(POLL)
