"""Ordinary clients: what they are answered, and how fast, while something happens to the server."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field

from bench.lab import get

CLIENTS = 4
PAUSE = 0.02  # seconds between one client's requests


@dataclass
class Load:
    """What ordinary clients met: seconds of each answer, and those that were none."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def __str__(self) -> str:
        return f"{self.failed} of {len(self.seconds)} failed"

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98] if len(self.seconds) > 1 else float("inf")

    @property
    def longest(self) -> float:
        return max(self.seconds, default=float("inf"))


def ordinary(port: int, seconds: float, path: str = "/api/health/live/") -> Load:
    """Ask as ordinary clients do, for so long."""
    load, end = Load(), time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                right = get(port, path).startswith(b"HTTP/1.1 200 ")
            except OSError:
                right = False
            load.seconds.append(time.monotonic() - began)
            load.failed += not right
            time.sleep(PAUSE)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    return load
