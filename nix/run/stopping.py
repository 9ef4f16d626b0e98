"""The signals that end a run, at any moment of it."""

from __future__ import annotations

import signal
import subprocess

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):
    """A signal asked for the end."""


class Stop:
    """Notes the first of SIGNALS, from the moment that it is made, and passes it on to the server once there is one.

    A handler that raised could do so between the start of a process and the line that remembers it. So it only notes,
    and `check` raises, where nothing is lost.
    """

    def __init__(self) -> None:
        self.asked = False
        self._server: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            # nohup: who ignores SIGHUP goes on when the terminal is closed.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)

    def check(self) -> None:
        """Raises Stopped if the end was asked for."""
        if self.asked:
            raise Stopped

    def watch(self, server: subprocess.Popen[bytes]) -> None:
        """From now on this process is told."""
        self._server = server
        if self.asked:
            server.terminate()

    def _note(self, *_: object) -> None:
        self.asked = True
        if self._server is not None:
            self._server.terminate()
