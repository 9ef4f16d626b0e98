"""What SIGTERM and SIGINT do during the boot."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT)


def die_at_once() -> None:
    """Let the kernel end the process at SIGTERM and SIGINT, without waiting for Python.

    A handler in Python would run only once libpq returns. PID 1 has no such default: a handler must do there.
    """
    for number in STOPPING:
        if os.getpid() == 1:
            signal.signal(number, _exit)
        elif signal.getsignal(number) is not signal.SIG_IGN:  # ignored by the parent: leave it so
            signal.signal(number, signal.SIG_DFL)


def as_inherited() -> None:
    """Undo what Python did to signals at its start, before another program takes this process over."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


class Deferred:
    """While held, SIGTERM and SIGINT are noted in `received` instead of ending the process."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def hold(self) -> None:
        """Begin to defer."""
        for number in STOPPING:
            self._before.setdefault(number, signal.signal(number, self._note))

    def release(self) -> None:
        """Signals end the process again."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
