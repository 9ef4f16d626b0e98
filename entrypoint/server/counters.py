"""What the workers count, in memory that they share with the master.

Each worker has a slot that nobody else writes to. A slot goes to another worker when its own has ended, and keeps its
counts: sums over all slots never go back, whatever becomes of the workers.
"""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Iterable
from typing import Any

BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)  # seconds, as Prometheus' own clients have them
CLASSES = 5  # of status codes: 1xx to 5xx
SLOTS = (
    2048  # twice as many as WEB_CONCURRENCY can ask for: at SIGHUP the old workers and the new ones are there
)

_BUSY, _SECONDS, _BY_CLASS = 0, 1, 2
_BY_BUCKET = _BY_CLASS + CLASSES
_FIELDS = _BY_BUCKET + len(BUCKETS)


class Counters:
    """Made before there are workers. In a worker, `slot` is its own."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, SLOTS * _FIELDS * 8)).cast("d")
        self._lock = threading.Lock()  # of one worker's threads
        self._began: dict[int, float] = {}
        self._holders: dict[int, int] = {}  # pids by slot
        self.slot = 0

    # In the master.

    def reserve(self, workers: Iterable[int]) -> None:
        """Choose the slot of the worker that is forked next; `workers` are the pids of those that live."""
        alive = set(workers)
        self._holders = {slot: pid for slot, pid in self._holders.items() if pid in alive}
        self.slot = next((slot for slot in range(SLOTS) if slot not in self._holders), SLOTS - 1)
        self._cells[self.slot * _FIELDS + _BUSY] = 0

    def assign(self, pid: int) -> None:
        """The worker with this pid has the slot that was reserved."""
        self._holders[self.slot] = pid

    def in_progress(self, workers: Iterable[int]) -> list[int]:
        """Requests that each of these workers handles just now."""
        slots = {pid: slot for slot, pid in list(self._holders.items())}
        return [int(self._cells[slots[pid] * _FIELDS + _BUSY]) for pid in workers if pid in slots]

    def by_class(self) -> list[int]:
        """Requests so far, by the first digit of their status codes."""
        return [self._sum(_BY_CLASS + number) for number in range(CLASSES)]

    def by_bucket(self) -> list[int]:
        """Requests so far that took at most as long as each of BUCKETS says."""
        found, sums = 0, []
        for number in range(len(BUCKETS)):
            found += self._sum(_BY_BUCKET + number)
            sums.append(found)
        return sums

    def seconds(self) -> float:
        """What all requests so far have taken."""
        return sum(self._cells[_SECONDS::_FIELDS].tolist())

    def _sum(self, field: int) -> int:
        return int(sum(self._cells[field::_FIELDS].tolist()))

    # In a worker; gunicorn's hooks of these names call them, whatever the kind of worker.

    def pre_request(self, request: Any) -> None:
        """The application gets a request."""
        with self._lock:
            self._began[id(request)] = time.monotonic()
            self._cells[self.slot * _FIELDS + _BUSY] = len(self._began)

    def post_request(self, request: Any, response: Any) -> None:
        """The request is answered, or has failed."""
        base = self.slot * _FIELDS
        status = str(getattr(response, "status", None) or "500")[:1]  # without a status it has failed
        with self._lock:
            now = time.monotonic()
            took = now - self._began.pop(id(request), now)
            self._cells[base + _SECONDS] += took
            self._cells[base + _BY_CLASS + (int(status) - 1 if status in "12345" else CLASSES - 1)] += 1
            for number, most in enumerate(BUCKETS):
                if took <= most:
                    self._cells[base + _BY_BUCKET + number] += 1
                    break
            self._cells[base + _BUSY] = len(
                self._began
            )  # last: whoever finds nothing in progress finds all counted
