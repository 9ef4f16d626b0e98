"""Health: readiness with and without a database, liveness always, for any probe, and nothing let out."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from django.db import connection
from django.test import RequestFactory

from core import health

READINESS = "/api/health/"
LIVENESS = "/api/health/live/"


def ask(path: str, method: str = "get"):
    """The middleware's own answer; what it passes on is answered 599."""
    from django.http import HttpResponse

    middleware = health.HealthMiddleware(lambda request: HttpResponse(status=599))
    return middleware(getattr(RequestFactory(), method)(path))


@pytest.mark.proves("`/api/health/` answers 200, `/static/admin/css/base.css` too")
def test_ready_and_alive(server):
    answer = server.request(READINESS)
    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "ok", "database": "ok"}
    assert json.loads(server.request(LIVENESS).body) == {"status": "ok"}


@pytest.mark.parametrize("path", [READINESS, LIVENESS])
@pytest.mark.parametrize(
    "host", ["10.1.2.3:8000", "localhost", "evil.example", "under_score", "[::1]:8000", ""]
)
def test_any_host_and_no_redirect(server, path, host):
    """HTTPS_ONLY is on here, and ALLOWED_HOSTS names another host."""
    answer = server.request(path, Host=host)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [READINESS, LIVENESS])
def test_head(server, path):
    got, head = server.request(path), server.request(path, "HEAD")
    assert head.status == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"] == str(len(got.body))


@pytest.mark.parametrize("path", [READINESS, LIVENESS])
def test_other_methods(server, path):
    answer = server.request(path, "POST")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_other_paths_are_passed_on():
    for path in ("/", "/api/health", "/api/health/x", "/api/healthy/"):
        assert ask(path).status_code == 599


@pytest.fixture
def address(monkeypatch):
    """A function that sets where the database is thought to be."""
    from django.db.backends.postgresql.base import DatabaseWrapper

    from config.database import postgresql
    from config.env import Environment

    def address(host: str, port: int = 5432) -> None:
        variables = {"POSTGRES_HOST": host, "POSTGRES_PORT": str(port), "POSTGRES_PASSWORD": "hunter22"}
        from django.db import connections

        database = connections.configure_settings(postgresql(Environment(variables)))["default"]
        monkeypatch.setattr(health, "connection", DatabaseWrapper(database))

    return address


def check_unavailable(caplog) -> None:
    with caplog.at_level("WARNING", logger="core.health"):
        answer = ask(READINESS)
    assert answer.status_code == 503
    assert json.loads(answer.content) == {"status": "unavailable", "database": "unavailable"}
    assert answer["Cache-Control"] == "no-store"
    assert "Not ready" in caplog.text
    assert "hunter22" not in caplog.text
    assert ask(LIVENESS).status_code == 200


def test_nothing_listens(address, tmp_path, caplog):
    address(str(tmp_path))
    check_unavailable(caplog)
    assert "No such file or directory" in caplog.text


def test_wrong_password(address, postgres, caplog):
    address(postgres.host, postgres.port)
    check_unavailable(caplog)
    assert "password authentication failed" in caplog.text


def test_server_that_never_answers(address, monkeypatch, caplog):
    """The kernel accepts the connection, as for a suspended server; only a deadline ends the wait."""
    monkeypatch.setattr(health, "DEADLINE", 0.2)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as mute:
        address("127.0.0.1", mute.getsockname()[1])
        check_unavailable(caplog)
    assert "no answer within 0.2 seconds" in caplog.text


def test_an_unexpected_error_is_503_too(monkeypatch, caplog):
    def fail() -> None:
        raise RuntimeError("hunter")

    monkeypatch.setattr(health, "ask_database", fail)
    check_unavailable(caplog)


def test_failed_probe_is_logged_once(monkeypatch, client, caplog):
    """Django would add an error of its own for every 503."""
    monkeypatch.setattr(health, "ask_database", lambda: 1 / 0)
    assert client.get(READINESS).status_code == 503
    assert [record.name for record in caplog.records] == ["core.health"]


@pytest.mark.django_db
def test_no_connection_is_left_open():
    def others() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return cursor.fetchone()[0]

    before = others()
    assert [ask(READINESS).status_code for _ in range(5)] == [200] * 5
    assert ask(LIVENESS).status_code == 200
    for _ in range(100):  # a server process ends shortly after its client
        if others() == before:
            break
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")
    assert others() == before


def test_sqlite_of_a_development_machine(run, project):
    code = (
        "import django; django.setup(); from django.test import Client; "
        "print(Client().get('/api/health/').status_code)"
    )
    result = run(project, {"DJANGO_SETTINGS_MODULE": "config.settings.local"}, "-c", code)
    assert result.stdout.split() == ["200"], result.stderr


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]


def test_an_outage_heals_by_itself(start_server, run, project, production):
    """PostgreSQL stops and comes back: 503, then 200; liveness all along; no request fails afterwards."""
    from cluster import Cluster

    directory = Path(tempfile.mkdtemp(prefix="outage-"))
    directory.chmod(0o755)
    cluster = Cluster(directory / "cluster", tcp_port=free_port(), settings={"fsync": "off"})
    try:
        cluster.start()
        variables = {
            **production,
            "HTTPS_ONLY": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(cluster.port),
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": "postgres",
            "POSTGRES_PASSWORD": cluster.password,
        }
        assert run(project, variables, "manage.py", "migrate").returncode == 0
        with start_server(project, variables) as server:
            assert server.request("/api/meals/").status == 200
            assert server.request(READINESS).status == 200
            cluster.stop()
            assert server.request(READINESS).status == 503
            assert server.request(LIVENESS).status == 200
            assert server.request("/api/meals/").status == 500
            cluster.start()
            assert server.request(READINESS).status == 200
            assert server.request("/api/meals/").status == 200
            cluster.stop()
            cluster.start()
            assert server.request("/api/meals/").status == 200  # its kept connection is dead: not its problem
    finally:
        cluster.stop()
        shutil.rmtree(directory)
