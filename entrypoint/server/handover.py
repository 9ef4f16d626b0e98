"""How connections that wait to be accepted outlive their listening socket.

Whoever waits in its queue when it is shut down is cut off. So the master accepts all of them first, and passes them on, one
at a time, to whichever worker is free next: through a Unix socket, as a descriptor.
"""

from __future__ import annotations

import mmap
import socket
from typing import Any

_BUFFER = 1 << 20  # bytes; the kernel gives less, which is enough for some hundred connections


class Handover:
    """Connections on their way from the master to its workers. Nothing here blocks."""

    def __init__(self) -> None:
        self._sends, self.hears = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sends.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        for each in (self._sends, self.hears):
            each.setblocking(False)
        self._until = memoryview(mmap.mmap(-1, 8)).cast("d")  # shared with the workers

    @property
    def until(self) -> float:
        """When the master kills workers that are still there (time.monotonic), once it has told them to stop; else 0."""
        return self._until[0]

    @until.setter
    def until(self, moment: float) -> None:
        self._until[0] = moment

    def give(self, number: int, connection: socket.socket) -> bool:
        """Pass on a connection, and the number of the listener that it was accepted from; False if there is no room."""
        try:
            socket.send_fds(self._sends, [bytes([number])], [connection.fileno()])
        except OSError:  # full, or too many descriptors are under way
            return False
        connection.close()
        return True

    def take(self) -> tuple[int, socket.socket, Any] | None:
        """The next one, if any: its listener's number, itself, the client's address."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.hears, 1, 1)
        except BlockingIOError:
            return None
        connection = socket.socket(fileno=descriptors[0])
        try:
            return data[0], connection, connection.getpeername()
        except OSError:  # the client has gone
            connection.close()
            return self.take()
