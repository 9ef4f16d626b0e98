"""PostgreSQL goes away while the server runs: which requests outlive that, and which must not be repeated."""

from __future__ import annotations

import contextlib
import http.client
import threading
from types import SimpleNamespace

import psycopg2
import pytest

from entrypoint import reconnection
from tests.entrypoint.booting import PATIENCE, Boot, children

# /items/ counts, /add/ adds one. /twice/ adds two in a transaction, /sum/ is a query that takes long: both wait in the
# middle until the test goes on, but only the first time. Each begins with a line in the file `log`.
VIEWS = """
import pathlib
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from shop.models import Item

def begun(request):
    with open("log", "a") as log:
        log.write(f"{request.method} {request.path}\\n")
    return not pathlib.Path("second").exists()

def items(request):
    begun(request)
    return HttpResponse(str(Item.objects.count()))

def add(request):
    begun(request)
    Item.objects.create(name="one")
    return HttpResponse("added")

@transaction.atomic
def twice(request):
    first = begun(request)
    Item.objects.create(name="one")
    if first:
        pathlib.Path("waits").touch()
        while not pathlib.Path("second").exists():
            time.sleep(0.01)
    Item.objects.create(name="two")
    return HttpResponse("added")

def sum(request):
    first = begun(request)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 + count(*) FROM generate_series(1, 2), pg_sleep(%s)", [3600 if first else 0])
        return HttpResponse(str(cursor.fetchone()[0]))

async def awaited(request):
    return await sync_to_async(sum)(request)

urlpatterns += [path("awaited/", awaited), path("items/", items), path("add/", add), path("twice/", twice), path("sum/", sum)]
"""
KEPT = "DATABASES['default']['CONN_MAX_AGE'] = 600"
ASGI = "asgi"
WORKERS = pytest.mark.parametrize("worker", ["sync", "gthread", ASGI])


@pytest.fixture
def served(boot, project):
    """Start the server, whose workers wait for the database as long as the test takes."""
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + VIEWS)
    project.add_setting(KEPT)

    def start(worker: str = "sync", seconds: float = PATIENCE) -> Boot:
        lines = ["from entrypoint import reconnection", f"reconnection.PATIENCE = {seconds}"]
        if worker == "gthread":
            lines += ["worker_class = 'gthread'", "threads = 2"]
        project.write("gunicorn_config.py", "\n".join(lines))
        project.write(
            "config/asgi.py",
            "from django.core.asgi import get_asgi_application as get\napplication = get()\n",
        )
        return boot(ASGI_APPLICATION="config.asgi:application" if worker == ASGI else None).serving()

    return start


@pytest.fixture
def server(cluster):
    """The PostgreSQL that all tests share, and which runs again in the end."""
    yield cluster
    if not cluster.host:
        cluster.start()


class Request(threading.Thread):
    """A request that is under way; `status` once it is answered, 0 if it was cut off."""

    def __init__(self, server: Boot, method: str, path: str) -> None:
        super().__init__(daemon=True)
        self.server, self.method, self.path = server, method, path
        self.status, self.body = 0, b""
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.server.address, timeout=PATIENCE)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request(self.method, self.path)
            answer = connection.getresponse()
            self.status, self.body = answer.status, answer.read()
        connection.close()

    def answered(self) -> tuple[int, bytes]:
        self.join(PATIENCE)
        return self.status, self.body


def handled(project) -> list[str]:
    """What the views have been given."""
    log = project.directory / "log"
    return log.read_text().splitlines() if log.exists() else []


def until_asleep(running: Boot, sql, database: str) -> None:
    """Wait until the server executes the long query."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event = 'PgSleep'"
    running.until(lambda: sql(query, database))


@pytest.mark.proves("A restart of PostgreSQL fails no request that has asked it nothing yet")
@pytest.mark.parametrize("method", ["GET", "POST"])
@WORKERS
def test_a_request_waits_for_the_database(served, project, server, sql, database, worker, method):
    """Whatever it is about to do, and though the worker's connection is broken."""
    running = served(worker)
    assert running.get("/items/").body == b"0"
    workers = children(running.process.pid)
    server.stop()
    waiting = Request(running, method, "/add/")
    running.until(lambda: f"{method} /add/" in handled(project))
    server.start()
    assert waiting.answered() == (200, b"added")
    assert sql("SELECT name FROM shop_item", database=database) == [("one",)]
    assert handled(project) == ["GET /items/", f"{method} /add/"]
    assert children(running.process.pid) == workers
    assert running.messages(level="ERROR") == []


@pytest.mark.proves("A restart of PostgreSQL fails no request that has asked it nothing yet")
@pytest.mark.parametrize("checks", [False, True])
def test_a_connection_that_was_ended(served, project, sql, database, checks):
    """With Django's own checks, and without them."""
    project.add_setting(f"DATABASES['default']['CONN_HEALTH_CHECKS'] = {checks}")
    running = served()
    assert running.get("/items/").body == b"0"
    end = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s"
    for method in ("GET", "POST"):
        assert sql(end, database) == [(True,)]
        assert Request(running, method, "/add/").answered() == (200, b"added")
    assert sql("SELECT count(*) FROM shop_item", database=database) == [(2,)]
    assert handled(project) == ["GET /items/", "GET /add/", "POST /add/"]
    assert running.messages(level="ERROR") == []


@pytest.mark.proves("A restart of PostgreSQL fails no request that changes nothing")
@pytest.mark.parametrize(
    ("worker", "method", "view"),
    [
        ("sync", "GET", "/sum/"),
        ("sync", "HEAD", "/sum/"),
        ("sync", "OPTIONS", "/sum/"),
        (ASGI, "GET", "/sum/"),
        (ASGI, "GET", "/awaited/"),
    ],
)
def test_in_the_middle_of_a_query(served, project, server, sql, database, worker, method, view):
    running = served(worker)
    waiting = Request(running, method, view)
    until_asleep(running, sql, database)
    project.write("second", "")
    server.restart()
    status, body = waiting.answered()
    assert (status, body) == (200, b"" if method == "HEAD" else b"3")
    assert handled(project) == [f"{method} {view}"] * 2
    running.until(lambda: running.messages(logger="gunicorn.access", path=view))
    assert running.messages(logger="gunicorn.access", path=view) == [f"{method} {view} 200"]
    assert running.messages(level="ERROR") == []


@pytest.mark.proves("A restart of PostgreSQL fails no request that changes nothing")
@WORKERS
def test_in_the_middle_of_a_transaction(served, project, server, sql, database, worker):
    """It has been rolled back, and is done as a whole."""
    running = served(worker)
    waiting = Request(running, "GET", "/twice/")
    running.until((project.directory / "waits").exists)
    server.restart()
    project.write("second", "")
    assert waiting.answered() == (200, b"added")
    assert sql("SELECT name FROM shop_item ORDER BY id", database=database) == [("one",), ("two",)]
    assert handled(project) == ["GET /twice/"] * 2


@pytest.mark.proves("What may change something is not repeated once it has asked the database")
@WORKERS
def test_what_may_change_something_is_not_repeated(served, project, server, sql, database, worker):
    running = served(worker)
    waiting = Request(running, "POST", "/twice/")
    running.until((project.directory / "waits").exists)
    server.restart()
    project.write("second", "")
    assert waiting.answered()[0] == 500
    assert sql("SELECT name FROM shop_item", database=database) == []
    assert handled(project) == ["POST /twice/"]
    assert running.get("/items/").body == b"0"


def test_a_second_failure_is_answered(served, project, server, sql, database):
    """It is repeated once, not until it works."""
    running = served()
    waiting = Request(running, "GET", "/sum/")
    for _ in range(2):
        until_asleep(running, sql, database)
        server.restart()
    assert waiting.answered()[0] == 500
    assert handled(project) == ["GET /sum/"] * 2


def test_an_error_that_is_none_of_the_connection(served, project, sql, database):
    running = served()
    sql("DROP TABLE shop_item", database=database)
    assert running.get("/items/").status == 500
    assert handled(project) == ["GET /items/"]


def test_an_outage_that_lasts(served, project, server):
    """It is waited for, and then answered; afterwards all is as before, with the same workers."""
    running = served(seconds=0.2)
    workers = children(running.process.pid)
    server.stop()
    assert [Request(running, method, "/items/").answered()[0] for method in ("GET", "POST")] == [500, 500]
    assert handled(project) == ["GET /items/", "POST /items/"]
    server.start()
    assert running.get("/items/").body == b"0"
    assert children(running.process.pid) == workers


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def attempts(monkeypatch):
    """Have a wrapper connect to a server that says what it is told to; returns the times of the attempts."""
    clock = Clock()
    monkeypatch.setattr(reconnection, "time", clock)
    monkeypatch.setattr(reconnection, "_outages", {})
    wrapper = SimpleNamespace(alias="default", Database=psycopg2)

    def made(back: float = float("inf"), says: str = "Connection refused", later: float = 0.0) -> list[float]:
        clock.now += later
        times: list[float] = []

        def connect(_: object, __: object) -> str:
            times.append(clock.now)
            if clock.now < back:
                raise psycopg2.OperationalError(says)
            return "connected"

        with contextlib.suppress(psycopg2.OperationalError):
            assert reconnection.patient(connect)(wrapper, {}) == "connected"
        return times

    return made


def test_attempts_end(attempts):
    times = attempts()
    assert times[-1] - times[0] == reconnection.PATIENCE
    assert len(times) < 20


def test_a_restart_of_two_seconds_is_outlived(attempts):
    assert attempts(back=1002.0)[-1] < 1002.0 + reconnection.LONGEST_PAUSE


def test_a_long_outage_is_waited_for_once(attempts):
    assert len(attempts()) > 1
    assert len(attempts(later=1)) == 1
    assert len(attempts(later=1)) == 1
    assert len(attempts(later=1, back=0)) == 1
    assert len(attempts(later=1)) > 1


def test_a_failure_of_long_ago_is_of_another_outage(attempts):
    assert len(attempts()) > 1
    assert len(attempts(later=reconnection.ANOTHER + 1)) > 1


@pytest.mark.parametrize(
    "says",
    [
        'FATAL:  password authentication failed for user "app"',
        'FATAL:  database "shop" does not exist',
    ],
)
def test_an_answer_that_stays_is_not_waited_for(attempts, says):
    assert len(attempts(says=says)) == 1


@pytest.mark.parametrize(
    "says",
    [
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is shutting down",
        "server closed the connection unexpectedly",
        'could not translate host name "db" to address: Name or service not known',
    ],
)
def test_an_answer_that_changes_is_waited_for(attempts, says):
    assert len(attempts(says=says)) > 1
