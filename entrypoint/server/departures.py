"""Answers that their clients take slowly, sent by a thread, so that the worker is free for the next request."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import threading
import time
from queue import Empty, SimpleQueue

from .connection import SLOWEST, Connection

LINGER = 2.0  # seconds for a client to stop sending what nobody reads, or it would lose the answer
KEPT_IN_ALL = 16 << 20  # bytes in memory
DISCARDED = 1 << 16  # bytes at a time


class Departures:
    """Connections whose requests are done, oldest first. `timeout`: the seconds that each may take at least."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._coming: SimpleQueue[Connection] = SimpleQueue()
        self._all: dict[Connection, float] = {}  # and until when
        self._selector = selectors.DefaultSelector()
        self._alarm = -1  # a pipe: something is coming
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._all)

    def take(self, connection: Connection) -> None:
        """Send the rest of the answer and close; returns at once."""
        if connection.is_settled():
            connection.drop()
            return
        try:
            if self._alarm < 0:
                self._start()
        except (OSError, RuntimeError):  # no further thread, or descriptor: then as well as it goes
            with contextlib.suppress(OSError):
                connection.send_pending(connection.wait)
            connection.drop()
            return
        with self._lock:
            seconds = self._timeout + connection.left / SLOWEST if connection.pending else LINGER
            self._all[connection] = time.monotonic() + seconds
            while len(self._all) > 1 and sum(each.kept for each in self._all) > KEPT_IN_ALL:
                self._cut_oldest()
        self._coming.put(connection)
        os.write(self._alarm, b"\0")

    def cut_oldest(self) -> None:
        """Give the oldest up."""
        with self._lock:
            self._cut_oldest()

    def _cut_oldest(self) -> None:
        if self._all:
            oldest = next(iter(self._all))
            del self._all[oldest]
            with contextlib.suppress(OSError):
                oldest.sock.shutdown(socket.SHUT_RDWR)  # the thread hears of it

    def _start(self) -> None:
        hears, alarm = os.pipe()
        self._selector.register(hears, selectors.EVENT_READ)
        threading.Thread(target=self._run, name="departures", daemon=True).start()
        self._alarm = alarm

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # the worker's to hear
        while True:
            for key, _ in self._selector.select(1.0):
                if key.data is None:
                    os.read(key.fd, 4096)
                else:
                    self._advance(key.data)
            with contextlib.suppress(Empty):
                while True:
                    self._advance(self._coming.get_nowait())
            now = time.monotonic()
            with self._lock:
                late = [each for each, until in self._all.items() if until < now]
            for connection in late:
                self._end(connection)

    def _advance(self, connection: Connection) -> None:
        """Send what can be sent; then see the client off."""
        try:
            if connection.pending:
                if not connection.send_pending():
                    self._watch(connection, selectors.EVENT_WRITE)
                    return
                with self._lock:
                    if connection in self._all:
                        self._all[connection] = time.monotonic() + LINGER
            if not connection.is_settled():
                connection.sock.shutdown(socket.SHUT_WR)
                while connection.sock.recv(DISCARDED, socket.MSG_TRUNC):  # such a TCP copies nothing
                    pass
        except BlockingIOError:
            self._watch(connection, selectors.EVENT_READ)
            return
        except OSError:
            pass
        self._end(connection)

    def _watch(self, connection: Connection, event: int) -> None:
        key = self._selector.get_map().get(connection.sock)
        if key is None:
            self._selector.register(connection.sock, event, connection)
        elif key.events != event:
            self._selector.modify(connection.sock, event, connection)

    def _end(self, connection: Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        with self._lock:
            self._all.pop(connection, None)
        connection.drop()
