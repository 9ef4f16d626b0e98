"""What happens meanwhile: PostgreSQL is restarted, workers are killed, releases are replaced."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.cluster.engine import Engine, until
from tests.cluster.swarm import Swarm
from tests.soak.clients import Asked
from tests.soak.containers import Container, children, containers

RESTART, KILL, RELEASE = 60.0, 20.0, 180.0  # seconds from one to the next
SHORT = 2.0  # seconds: what a restart may take without any request noticing
PORT = 5432
STARTUP = b"user\0postgres\0database\0postgres\0\0"


@dataclass(frozen=True)
class Moment:
    """From one time to another, monotonic seconds."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    def meets(self, asked: Asked) -> bool:
        """Whether the request was under way then."""
        return asked.began <= self.ended and asked.ended >= self.began


@dataclass
class Happened:
    restarts: list[Moment] = field(default_factory=list)
    kills: list[Moment] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)  # what Swarm says of each update in the end
    rolling: list[Moment] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # of what should make things happen


class Events:
    """All of them, each in its own rhythm, while a `with` block runs."""

    def __init__(self, swarm: Swarm, release: float) -> None:
        self.happened = Happened()
        self._swarm = swarm
        self._stop = threading.Event()
        rhythms = ((RESTART, self._restart), (KILL, self._kill), (release, self._release))
        self._threads = [threading.Thread(target=self._repeat, args=each) for each in rhythms]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _repeat(self, seconds: float, happen: Callable[[], None]) -> None:
        self._swarm.engine.enter()
        due = time.monotonic() + seconds
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += seconds
            try:
                happen()
            except Exception as error:  # noqa: BLE001 -- the test fails with it in the end
                self.happened.errors.append(f"{happen.__name__}: {type(error).__name__}: {error}")

    def _restart(self) -> None:
        """Stop it as `pg_ctl --mode fast` does; its container starts it again at once."""
        (database,) = (each for each in containers(self._swarm.engine) if each.service == "db")
        (server,) = children(database.pid)
        last = time.monotonic()
        os.kill(server, signal.SIGINT)
        until(lambda: server not in children(database.pid), "PostgreSQL's end", pause=0.005)
        until(is_ready, "PostgreSQL", pause=0.005)
        self.happened.restarts.append(Moment(last, time.monotonic()))

    def _kill(self) -> None:
        """Any worker of any replica."""
        workers = [pid for each in backends(self._swarm.engine) for pid in each.workers()]
        before = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(workers), signal.SIGKILL)
            self.happened.kills.append(Moment(before, time.monotonic()))

    def _release(self) -> None:
        """Give the image another name, as the next release has one, and deploy it as docs/clusters.md does."""
        engine, before = self._swarm.engine, time.monotonic()
        self.happened.rolling.append(Moment(before, float("inf")))
        name = f"eatfit24-backend:soak-{len(self.happened.releases) + 2}"
        engine.docker("tag", self._swarm.image, name)
        self._swarm.deploy(name)
        ended = ("completed", "paused", "rollback_completed", "rollback_paused")
        until(lambda: self._swarm.update_is(*ended), "the update's end", patience=300, pause=1)
        self.happened.releases.append(self._swarm.service()["UpdateStatus"]["State"])
        self.happened.rolling[-1] = Moment(before, time.monotonic())


def backends(engine: Engine) -> list[Container]:
    """The replicas."""
    return [each for each in containers(engine) if each.service == "backend"]


def is_ready() -> bool:
    """Whether PostgreSQL goes on to ask who we are, as pg_isready finds it out."""
    try:
        with socket.create_connection(("127.0.0.1", PORT), timeout=2) as connection:
            connection.sendall(struct.pack("!II", 8 + len(STARTUP), 196608) + STARTUP)
            return connection.recv(1) == b"R"
    except OSError:
        return False
