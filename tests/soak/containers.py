"""The containers' processes, as the machine's /proc shows them: memory, descriptors, zombies."""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.cluster.engine import Engine

EVERY = 5.0  # seconds


@dataclass(frozen=True)
class Container:
    """A container that runs."""

    service: str  # by the stack's name for it
    pid: int  # of its first process

    def processes(self) -> list[int]:
        """All of it, without what was executed in it later, as health checks are."""
        found = [self.pid]
        for each in found:  # it grows
            found += children(each)
        return found

    def workers(self) -> list[int]:
        """gunicorn's: forks of the master, which is the init's only child."""
        return [
            each
            for master in children(self.pid)
            for each in children(master)
            if command(each) == command(master)
        ]


def containers(engine: Engine) -> list[Container]:
    """Those of the engine that run."""
    numbers = engine.docker("ps", "--quiet").split()
    described = json.loads(engine.docker("inspect", *numbers)) if numbers else []
    found = []
    for each in described:
        name = each["Config"]["Labels"].get("com.docker.swarm.service.name", each["Name"])
        if each["State"]["Pid"]:
            found.append(Container(name.rpartition("_")[2].removeprefix("/"), each["State"]["Pid"]))
    return found


@dataclass(frozen=True)
class Reading:
    """All containers of a service at a time (monotonic seconds)."""

    at: float
    service: str
    memory: int  # bytes, what processes share counted once
    descriptors: int
    processes: int


class Readings:
    """One reading of each service every few seconds, while a `with` block runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.all: list[Reading] = []
        self.zombies: set[int] = set()  # those that were there twice
        self._suspects: set[int] = set()
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 -- the test fails with it in the end
                self.errors.append(f"reading: {type(error).__name__}: {error}")

    def _look(self) -> None:
        by_service: dict[str, list[Container]] = defaultdict(list)
        for each in containers(self._engine):
            by_service[each.service].append(each)
        zombies: set[int] = set()
        for service, members in by_service.items():
            pids = [pid for each in members for pid in each.processes()]
            zombies |= {pid for pid in pids if state(pid) == "Z"}
            self.all.append(
                Reading(
                    time.monotonic(),
                    service,
                    sum(map(proportional_set_size, pids)),
                    sum(map(descriptors, pids)),
                    len(pids),
                )
            )
        # Who has just ended is one until its parent looks.
        self.zombies |= zombies & self._suspects
        self._suspects = zombies

    def thirds(self, service: str, what: str, busy: Callable[[float], bool]) -> tuple[float, float]:
        """The median of `what` in the first third of the time, and in the last; of times that are not `busy`."""
        chosen = [each for each in self.all if each.service == service]
        began, ended = chosen[0].at, chosen[-1].at
        third = (ended - began) / 3
        calm = [each for each in chosen if not busy(each.at)]
        first = [getattr(each, what) for each in calm if each.at <= began + third]
        last = [getattr(each, what) for each in calm if each.at >= ended - third]
        return statistics.median(first), statistics.median(last)


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    return ""


def descriptors(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def proportional_set_size(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
