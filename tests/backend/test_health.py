"""Health: readiness with and without a database, liveness always, for any probe, and nothing let out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest
from django.test import RequestFactory

from core import health, readiness
from tests.running import free_port, until

USER = "eatfit24"
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
def address(monkeypatch, django_db_blocker):
    """A function that sets where the database is thought to be."""
    from django.db.backends.postgresql.base import DatabaseWrapper

    from config.database import postgresql
    from config.env import Environment

    def address(host: str, port: int = 5432) -> None:
        variables = {"POSTGRES_HOST": host, "POSTGRES_PORT": str(port), "POSTGRES_PASSWORD": "hunter22"}
        from django.db import connections

        database = connections.configure_settings(postgresql(Environment(variables)))["default"]
        monkeypatch.setattr(readiness, "connection", DatabaseWrapper(database))

    with django_db_blocker.unblock():
        yield address


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


def test_server_that_never_answers(address, caplog):
    """The kernel accepts the connection, as for a suspended server; only a deadline ends the wait."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as mute:
        address("127.0.0.1", mute.getsockname()[1])
        check_unavailable(caplog)
    assert "timeout expired" in caplog.text


def test_an_unexpected_error_is_503_too(monkeypatch, caplog):
    def fail() -> None:
        raise RuntimeError("hunter")

    monkeypatch.setattr(readiness, "ask_database", fail)
    check_unavailable(caplog)


def test_failed_probe_is_logged_once(monkeypatch, client, caplog):
    """Django would add an error of its own for every 503."""
    monkeypatch.setattr(readiness, "ask_database", lambda: 1 / 0)
    assert client.get(READINESS).status_code == 503
    assert [record.name for record in caplog.records] == ["core.health"]


def sessions(postgres, user: str) -> list[int]:
    """The server processes that serve the role, by their pids."""
    return [pid for (pid,) in query(postgres, "SELECT pid FROM pg_stat_activity WHERE usename = %s", user)]


def query(postgres, statement: str, *values: object) -> list[tuple]:
    connection = psycopg2.connect(
        host=postgres.host, port=postgres.port, user="postgres", password=postgres.password, dbname="postgres"
    )
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.proves("A probe takes no connection, and healthy means that writes succeed")
def test_a_probe_asks_on_the_workers_connection(
    start_server, project, run, postgres, production, database_variables
):
    """The role has one connection, which the worker keeps; a second one would be refused."""
    variables = {**production, **database_variables, "HTTPS_ONLY": "0", "ALLOWED_HOSTS": "127.0.0.1"}
    assert run(project, variables, "manage.py", "migrate").returncode == 0
    role = variables["POSTGRES_USER"] = "limited"
    password = variables["POSTGRES_PASSWORD"]
    query(postgres, f"CREATE ROLE {role} LOGIN PASSWORD %s IN ROLE {USER} CONNECTION LIMIT 1", password)
    try:
        with start_server(project, variables) as server:
            assert server.request("/api/meals/").status == 200
            before = sessions(postgres, role)
            assert [server.request(READINESS).status for _ in range(20)] == [200] * 20
            assert sessions(postgres, role) == before
            assert len(before) == 1
            # A connection that the server has ended is replaced, and no probe fails.
            query(postgres, "SELECT pg_terminate_backend(%s, 10000)", *before)
            time.sleep(readiness.FRESH)
            assert server.request(READINESS).status == 200
            # One that does not answer is given up.
            (suspended,) = sessions(postgres, role)
            os.kill(suspended, signal.SIGSTOP)
            try:
                time.sleep(readiness.FRESH)
                assert server.request(READINESS).status == 503
                assert "Not ready: the database does not answer: no answer within 3" in server.log.read_text()
            finally:
                os.kill(suspended, signal.SIGCONT)
            until(lambda: server.request(READINESS).status == 200, "readiness")
    finally:
        query(postgres, f"DROP ROLE {role}")


@pytest.mark.proves("A probe takes no connection, and healthy means that writes succeed")
def test_the_database_is_asked_once_a_second(monkeypatch):
    now, asked = [100.0], []
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(readiness, "ask_database", lambda: asked.append(now[0]) or "")
    middleware = health.HealthMiddleware(lambda request: None)
    for moment in (100.0, 100.0, 100.9, 101.0, 101.5, 102.1):
        now[0] = moment
        assert middleware(RequestFactory().get(READINESS)).status_code == 200
    assert asked == [100.0, 101.0, 102.1]


@pytest.mark.parametrize("meant", ["0", "1"])
@pytest.mark.proves("A probe takes no connection, and healthy means that writes succeed")
def test_a_database_that_takes_no_writes(
    start_server, project, run, postgres, production, database_variables, meant
):
    variables = {
        **production,
        **database_variables,
        "HTTPS_ONLY": "0",
        "ALLOWED_HOSTS": "127.0.0.1",
        "READ_ONLY": meant,
    }
    assert run(project, variables, "manage.py", "migrate").returncode == 0
    query(postgres, f"ALTER ROLE {USER} SET default_transaction_read_only = on")
    try:
        with start_server(project, variables) as server:
            answer = server.request(READINESS)
            assert server.request("/api/meals/").status == 200
            log = server.log.read_text()
    finally:
        query(postgres, f"ALTER ROLE {USER} RESET default_transaction_read_only")
    assert json.loads(answer.body)["database"] == "read-only"
    assert answer.status == (200 if meant == "1" else 503)
    assert ("the database is read-only (default_transaction_read_only)" in log) == (meant == "0")


@pytest.mark.proves("A probe takes no connection, and healthy means that writes succeed")
def test_a_hot_standby(start_server, run, project, production):
    """A copy of the cluster, started in recovery; promoted, it is ready."""
    from cluster import Cluster

    directory = Path(tempfile.mkdtemp(prefix="standby-"))
    directory.chmod(0o755)
    primary = Cluster(directory / "primary", settings={"fsync": "off"})
    standby = Cluster(directory / "standby", settings={"fsync": "off"})
    variables = {
        **production,
        "HTTPS_ONLY": "0",
        "ALLOWED_HOSTS": "127.0.0.1",
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "postgres",
    }

    def address(cluster) -> dict[str, str]:
        return {"POSTGRES_HOST": cluster.host, "POSTGRES_PASSWORD": cluster.password}

    try:
        primary.start()
        assert run(project, {**variables, **address(primary)}, "manage.py", "migrate").returncode == 0
        primary.stop()
        shutil.copytree(primary.directory, standby.directory)
        (standby.data / "standby.signal").touch()
        for path in (standby.directory, *standby.directory.rglob("*")):
            shutil.chown(
                path, *((standby.user.pw_uid, standby.user.pw_gid) if standby.user else (os.getuid(),))
            )
        standby.start()
        with start_server(project, {**variables, **address(standby)}) as server:
            assert server.request("/api/meals/").status == 200
            answer = server.request(READINESS)
            assert (answer.status, json.loads(answer.body)["database"]) == (503, "read-only")
            assert "the database is read-only (a hot standby)" in server.log.read_text()
            query(standby, "SELECT pg_promote()")
            time.sleep(readiness.FRESH)
            assert server.request(READINESS).status == 200
    finally:
        primary.stop()
        standby.stop()
        shutil.rmtree(directory)


def test_sqlite_of_a_development_machine(run, project):
    code = (
        "import django; django.setup(); from django.test import Client; "
        "print(Client().get('/api/health/').status_code)"
    )
    result = run(project, {"DJANGO_SETTINGS_MODULE": "config.settings.local"}, "-c", code)
    assert result.stdout.split() == ["200"], result.stderr


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
            time.sleep(readiness.FRESH)
            assert server.request(READINESS).status == 503
            assert server.request(LIVENESS).status == 200
            assert server.request("/api/meals/").status == 500
            cluster.start()
            time.sleep(readiness.FRESH)
            assert server.request(READINESS).status == 200
            assert server.request("/api/meals/").status == 200
            cluster.stop()
            cluster.start()
            assert server.request("/api/meals/").status == 200  # its kept connection is dead: not its problem
    finally:
        cluster.stop()
        shutil.rmtree(directory)
