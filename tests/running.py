"""What tests have in common that look at a running boot from outside, in a container or not."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0  # seconds after which a test gives up


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE, pause: float = 0.05) -> Any:
    """Wait until the condition holds, and return what it gave. It is looked at every `pause` seconds.

    Raises AssertionError after `patience` seconds.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"waited in vain for {what}")


def hear_signals() -> None:
    """Have what is started from here hear every signal, though nohup and a shell's background jobs are deaf to some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Logged:
    """Something that writes log records, one JSON object a line, to its `output`."""

    output: Any

    @property
    def records(self) -> list[dict[str, Any]]:
        """The output as log records; fails at a line that is none."""
        found = []
        # What comes after the last newline is being written just now.
        for line in self.output[: self.output.rfind("\n") + 1].splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                raise AssertionError(f"not a JSON object: {line!r}") from None
            assert isinstance(record, dict), line
            assert list(record)[:4] == ["timestamp", "level", "logger", "message"], line
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"]), line
            found.append(record)
        return found

    def messages(self, **fields: object) -> list[str]:
        """The messages of the records that have these fields."""
        return [
            record["message"] for record in self.records if all(record.get(k) == v for k, v in fields.items())
        ]

    @property
    def error(self) -> str:
        """The one ERROR with which the boot ended."""
        errors = self.messages(level="ERROR")
        assert len(errors) == 1, self.output
        assert "Traceback" not in self.output
        return errors[0]
