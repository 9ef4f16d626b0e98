"""A client's connection, as gunicorn's sync worker sees it: nothing in it waits for the client for long.

Before a request is read, the kernel holds it until it is whole (`is_whole`). What of the answer the client does not take
at once is kept, and sent by somebody else (departures.py).
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import socket
import struct
import termios
import time
from typing import Any

HEAD = 65536  # bytes of a request's head that are looked at
PATIENCE = 10.0  # seconds for a head; and that a worker, in all, waits for one client
SLOWEST = 16384  # bytes a second: who is faster than this may take longer
KEPT = 1 << 20  # bytes of one answer that are kept for a client
_FRAMING = re.compile(
    rb"\r\n(?:content-length:[ \t]*(\d{1,15})[ \t]*(?=\r)|(transfer-encoding):|(expect):[ \t]*100-c)",
    re.IGNORECASE,
)
_LAST_CHUNK = b"0\r\n\r\n"

Piece = memoryview | tuple[int, int, int]  # bytes; or a file's descriptor, offset and count


class Connection:
    """Stands for the socket of one request; `listener` and `address` are what `accept` was called on and gave.

    `largest` is the longest body, in bytes, that is worth to be waited for.
    """

    def __init__(self, sock: socket.socket, address: Any, listener: Any, largest: int) -> None:
        sock.setblocking(False)
        self.sock, self.address, self.listener, self._largest = sock, address, listener, largest
        self.arrived = time.monotonic()
        self.begun = False  # whether anything has been received
        self.length = -1  # of the whole request in bytes, once it is known
        self._first = b""  # read, and not yet by gunicorn
        self._asked = 1  # bytes that shall be there before the kernel tells of the socket
        self._seen = 0  # bytes that were there when it told too early
        self._taken = 0  # bytes received
        self._moved = 0  # bytes received and sent since somebody has first waited for them
        self._waited = 0.0  # seconds
        self._ended = False  # the answer is complete
        self.pending: list[Piece] = []
        self.kept = 0  # bytes of `pending` that are in memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    # The request, before it is read.

    def is_whole(self) -> bool:
        """Whether the request can be read without waiting; if not, the socket becomes readable when there is more.

        True also if nobody can tell, or if the kernel will hold no more of it. Raises OSError.
        """
        if self._asked > 1 and self._held() < self._asked:
            return not self._makes_room() and self._done()
        if self.length >= 0:
            return self._done()
        try:
            data = self._first + self.sock.recv(HEAD, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed before it asked for anything")
        self.begun = True
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return len(data) >= HEAD or self._wait_for(len(data) + 1)
        body, chunked, expected = 0, False, False
        for found in _FRAMING.finditer(data, 0, end):
            body = max(body, int(found[1] or 0))
            chunked, expected = chunked or bool(found[2]), expected or bool(found[3])
        if body > self._largest:
            return self._done()  # to be refused, not awaited
        if expected:
            self._invite(len(data) == end)
        if chunked:
            whole = data.endswith(_LAST_CHUNK) or len(data) >= HEAD
            return self._done() if whole else self._wait_for(len(data) + 1)
        self.length = end + body
        whole = len(data) >= self.length or self._held() >= self.length
        return self._done() if whole else self._wait_for(self.length)

    def _invite(self, nothing_yet: bool) -> None:
        """Tell a client to send its body that waits to be told; gunicorn does so again, which HTTP allows."""
        if nothing_yet and self._asked <= 1:
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _wait_for(self, count: int) -> bool:
        """Have the kernel tell of the socket when it holds so many bytes; returns whether it will not."""
        try:
            # It makes room for just as many, and takes no account of what it needs itself to keep them.
            for least in (2 * count, count - len(self._first)):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
        except (OSError, OverflowError):
            return True
        self._asked = count
        return False

    def _makes_room(self) -> bool:
        """Whether the kernel, which had no room left for what is asked for, has now, and the client can go on."""
        held, before = self._held(), self._seen
        self._seen = held
        if held <= before or self._has_ended():
            return False
        # The client hears of the room that there is when something is read.
        self._first += self.sock.recv(1)
        return not self._wait_for(self._asked)

    def _has_ended(self) -> bool:
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(0))

    def _done(self) -> bool:
        if self._asked > 1:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            self._asked = 1
        return True

    def _held(self) -> int:
        """Bytes that have arrived."""
        (held,) = struct.unpack("i", fcntl.ioctl(self.sock, termios.FIONREAD, bytes(4)))
        return len(self._first) + int(held)

    # What gunicorn reads and writes.

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes of the request. Raises OSError, also when the client is too slow."""
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
            self._taken += len(data)
            return data
        while not self._ended:
            try:
                data = self.sock.recv(size)
            except BlockingIOError:
                self.wait(select.POLLIN)
            else:
                self._taken += len(data)
                self._count(len(data))
                return data
        return b""

    def sendall(self, data: bytes) -> None:
        """Send the bytes, or keep them. Raises OSError, also when the client is too slow to keep them all."""
        rest = memoryview(data)
        while rest:
            if not self.pending:
                try:
                    count = self.sock.send(rest)
                except BlockingIOError:
                    pass
                else:
                    self._count(count)
                    rest = rest[count:]
                    continue
            if self._keep(rest, len(rest)):
                return
            self.send_pending(self.wait)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> None:
        """Send `count` bytes of a file from `offset` on, or keep it open to do so."""
        number = file.fileno()
        count = os.fstat(number).st_size - offset if count is None else count
        while count and not self.pending:
            try:
                sent = os.sendfile(self.sock.fileno(), number, offset, count)
            except BlockingIOError:
                break
            if not sent:  # it has become shorter
                return
            self._count(sent)
            offset, count = offset + sent, count - sent
        if count:
            self.pending.append((os.dup(number), offset, count))

    def _keep(self, rest: memoryview, size: int) -> bool:
        if self.kept and self.kept + size > KEPT:
            return False
        self.pending.append(rest)
        self.kept += size
        return True

    def send_pending(self, wait: Any = None) -> bool:
        """Send what is kept, as much as the client takes; whether that is all of it. Raises OSError."""
        while self.pending:
            piece = self.pending[0]
            try:
                if isinstance(piece, tuple):
                    number, offset, count = piece
                    sent = os.sendfile(self.sock.fileno(), number, offset, count)
                    rest: Piece | None = (number, offset + sent, count - sent) if 0 < sent < count else None
                    if rest is None:
                        os.close(number)
                else:
                    sent = self.sock.send(piece)
                    self.kept -= sent
                    rest = piece[sent:] or None
            except BlockingIOError:
                if wait is None:
                    return False
                wait(select.POLLOUT)
                continue
            self._count(sent)
            self.pending[:1] = [] if rest is None else [rest]
        return True

    def wait(self, event: int) -> None:
        """Wait for the client; not for longer, in all, than `PATIENCE` and what its bytes take at `SLOWEST`."""
        left = PATIENCE + self._moved / SLOWEST - self._waited
        poll = select.poll()
        poll.register(self.sock, event)
        began = time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow")
        self._waited += time.monotonic() - began

    def _count(self, moved: int) -> None:
        if self._waited:
            self._moved += moved

    # Its end.

    @property
    def left(self) -> int:
        """Bytes of the answer that are yet to be sent."""
        return sum(piece[2] if isinstance(piece, tuple) else len(piece) for piece in self.pending)

    def gettimeout(self) -> float:
        """As of a socket that never waits; gunicorn asks before it writes an error."""
        return 0.0

    def settimeout(self, _: float | None) -> None:
        """Nothing: this decides for itself how long it waits."""

    setblocking = settimeout

    def shutdown(self, _: int) -> None:
        """The answer is complete; called by gunicorn."""
        self._ended = True

    def close(self) -> None:
        """Called by gunicorn, before or after `leave` has been asked."""
        self._ended = True

    def is_settled(self) -> bool:
        """Whether nothing is left to be sent, and nothing comes that would reset the connection when it is closed."""
        return not self.pending and 0 <= self.length <= self._taken

    def drop(self) -> None:
        """Close the socket and what is kept for it."""
        for piece in self.pending:
            if isinstance(piece, tuple):
                os.close(piece[0])
        self.pending.clear()
        self.sock.close()
