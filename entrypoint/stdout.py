"""Standard output, which may be a pipe that nobody reads: what does not go out in time is dropped, and counted.

Without that, everything stops once the pipe is full: each worker at its next record, and the master, too, which then hears
no signal.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from collections.abc import Callable

_NUMBER = 1
_PATIENCE = 1.0  # seconds that one record is waited for; none while nothing has gone out since the last one


class Stdout:
    """Writes whole records. `notice` makes the record, as bytes, that says how many were dropped."""

    def __init__(self, notice: Callable[[int], bytes]) -> None:
        self._notice = notice
        self._descriptor = -1
        self._process = 0
        self._dropped = 0  # by this process
        self._torn = False  # the last record that went out is not whole

    def write(self, record: bytes) -> None:
        """Write the record, or drop it."""
        self.tell()
        if self._dropped or not self._send(record):
            self._dropped += 1

    def tell(self) -> None:
        """Say how many records were dropped, if any were and it can be said by now."""
        if self._process != os.getpid():  # one's own are the parent's to tell
            self._process, self._dropped, self._torn = os.getpid(), 0, False
        if self._dropped and self._send(self._notice(self._dropped)):
            self._dropped = 0

    def _send(self, data: bytes) -> bool:
        if self._descriptor < 0:
            self._descriptor = _without_waiting()
        if self._torn:
            data = b"\n" + data
        length = len(data)
        may_wait = self._descriptor == _NUMBER and not stat.S_ISREG(os.fstat(_NUMBER).st_mode)
        try:
            while data:
                try:
                    if may_wait and not self._has_room():
                        raise BlockingIOError
                    # Once there is room, there is some for this much.
                    data = data[os.write(self._descriptor, data[: select.PIPE_BUF] if may_wait else data) :]
                except BlockingIOError:
                    if may_wait or not self._has_room():
                        self._torn = self._torn or len(data) < length
                        return False
        except OSError:
            pass  # nobody reads the log any more, which is no reason to stop
        self._torn = False
        return True

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(0 if self._dropped else _PATIENCE * 1000))


def _without_waiting() -> int:
    """A descriptor of standard output that does not wait, or the usual one.

    It is opened anew: other programs may have the same one open, and would not wait either.
    """
    mode = os.fstat(_NUMBER).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with contextlib.suppress(OSError):  # another user's
            return os.open(f"/proc/self/fd/{_NUMBER}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    return _NUMBER
