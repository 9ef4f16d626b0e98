"""What an event happens to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.boot import family
from bench.lab import Site


@dataclass
class Subject:
    """A server that runs, how it was started, and the port at which clients reach it: its own, or that of a proxy."""

    site: Site
    command: list[str]
    process: subprocess.Popen[bytes]
    port: int

    def kill(self) -> None:
        """End a server that does not hear SIGTERM."""
        for each in family(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.process.wait()


@dataclass
class Event:
    """A row of the table: what happens, and the function that has it happen and says what came of it."""

    name: str
    measure: Callable[[Subject], str]
    variables: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Site], None] = lambda site: None  # before there is a server
    unread: bool = False  # whether nobody reads what the server writes
