"""PostgreSQL goes away under load and comes back: the backend says so, and recovers by itself."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter

import pytest

from tests.container.engine import Container, docker
from tests.container.lab import Server, start_server

API = {"Host": "api.example.com", "X_Forwarded_Proto": "https"}


@pytest.fixture
def own_server(lab, images):
    """A server of this test's own, whose data outlives a restart."""
    password = secrets.token_urlsafe(24)
    data = ("--volume", f"{lab.volume()}:/var/lib/postgresql/data")
    container = start_server(images, "--env", f"POSTGRES_PASSWORD={password}", *data)
    lab.containers.append(container)
    lab.invite(container, "db")
    return Server(container, password).until_ready()


class Load:
    """Requests, one after the other from several clients, until `stop`; counts the answers."""

    def __init__(self, backend: Container, *paths: str) -> None:
        self.seen: dict[str, list[int]] = {path: [] for path in paths}
        self._stopped = threading.Event()
        port = backend.port

        def ask(path: str) -> None:
            for _ in range(5000):
                if self._stopped.wait(0.05):
                    return
                try:
                    self.seen[path].append(backend.get(path, port=port, **API).status)
                except OSError:
                    self.seen[path].append(0)

        self._clients = [threading.Thread(target=ask, args=(path,)) for path in paths]
        for client in self._clients:
            client.start()

    def stop(self) -> dict[str, Counter[int]]:
        self._stopped.set()
        for client in self._clients:
            client.join()
        return {path: Counter(statuses) for path, statuses in self.seen.items()}


def both(backend: Container) -> set[str]:
    """The two workers, once they are there."""
    found = backend.workers()
    return found if len(found) == 2 else set()


READY, LIVE, MEALS, STATIC = "/api/health/", "/api/health/live/", "/api/meals/", "/static/admin/css/base.css"


@pytest.mark.proves("A restart of PostgreSQL costs readiness, and nothing else")
def test_a_restart_of_postgresql_under_load(lab, own_server):
    """Readiness goes to 503 and comes back; liveness and static files never fail; no worker is lost."""
    database = own_server.database()
    backend = lab.backend(**database.environment).start().until_answers()
    workers = backend.until(lambda: both(backend), "both workers")
    load = Load(backend, READY, LIVE, MEALS, STATIC)
    time.sleep(1)
    own_server.container.stop()
    backend.until(lambda: 503 in load.seen[READY], "readiness 503")
    down = len(load.seen[LIVE])
    backend.until(lambda: len(load.seen[LIVE]) > down + 5, "liveness meanwhile")
    own_server.container.start()
    backend.until(lambda: load.seen[READY][-1] == 200, "readiness 200")
    backend.until(lambda: load.seen[MEALS][-1] == 200, "meals 200")
    seen = load.stop()
    assert set(seen[READY]) == {200, 503}
    assert set(seen[LIVE]) == {200}
    assert set(seen[STATIC]) == {200}
    assert set(seen[MEALS]) <= {200, 500}
    assert backend.workers() == workers
    assert backend.state["Status"] == "running"
    assert not [each for each in backend.messages(logger="gunicorn.error") if each.startswith("Worker ")]


def test_a_connection_that_died_unnoticed_costs_no_request(lab, own_server):
    """The workers' connections are gone by the time they are used again: they are tried before use."""
    database = own_server.database()
    backend = lab.backend(**database.environment).start().until_answers()
    for _ in range(8):
        assert backend.get(MEALS, **API).status == 200
    database.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{database.user}'")
    assert [backend.get(MEALS, **API).status for _ in range(8)] == [200] * 8


@pytest.mark.proves("A restart of PostgreSQL costs readiness, and nothing else")
def test_a_suspended_postgresql(lab, own_server):
    """It accepts connections and never answers: readiness says 503 in its own time, liveness stays 200."""
    database = own_server.database()
    backend = lab.backend(**database.environment).start().until_answers()
    workers = backend.until(lambda: both(backend), "both workers")
    docker("pause", own_server.container.id)
    try:
        backend.until_answers(503, READY)
        assert backend.get(LIVE).status == 200
    finally:
        docker("unpause", own_server.container.id)
    backend.until_answers(200, READY)
    assert backend.get(MEALS, **API).status == 200
    assert backend.workers() == workers
