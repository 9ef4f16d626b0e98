"""SIGTERM and SIGINT at any moment: the container is gone, the database is whole, requests in flight finish."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time

import pytest

from tests.container.engine import Container, Response, docker
from tests.container.lab import Database, Lab, migration
from tests.running import until

MOMENTS = 12
PROMPT = 10.0  # seconds from the signal after which an engine would kill
CODES = {"SIGTERM": 143, "SIGINT": 130}
API = {"Host": "api.example.com", "X_Forwarded_Proto": "https"}


def seconds_from_signal_to_end(container: Container) -> float:
    """By the engine's own clock, as its events tell: not a matter of how long its client takes."""
    state = container.inspected
    events = docker(
        *("events", "--since", state["Created"], "--until", str(int(time.time()) + 1)),
        *("--filter", f"container={container.id}", "--format", "{{json .}}"),
    )
    moments = {event["Action"]: event["timeNano"] for event in map(json.loads, events.splitlines())}
    return float(moments["die"] - moments["kill"]) / 1e9


# --- During the boot --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(server, images) -> tuple[Database, list, float]:
    """A database that a boot has migrated, and how long a boot takes here until it answers."""
    lab = Lab(images)
    try:
        database = server.database()
        lab.invite(server.container, "db")
        backend = lab.backend(**database.environment)
        began = time.monotonic()
        backend.start().until_answers()
        return database, database.schema(), time.monotonic() - began
    finally:
        lab.close(False, "template")


def python_itself_was_starting(output: str) -> bool:
    """Whether SIGINT came in the few milliseconds before the entrypoint's first line, where Python shows a traceback."""
    return "Traceback" in output and "-entrypoint/" not in output


@pytest.mark.proves(
    "A container ends by itself at SIGTERM or SIGINT, before the engine would kill it, and its database is whole"
)
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_sigterm_during_the_boot(lab, database, template, moment):
    """From the first instant until it serves. The next start finds a database that it can go on with."""
    _, schema, whole = template
    backend = lab.backend(fresh=True, **database.environment)
    number = "SIGINT" if moment % 4 == 3 else "SIGTERM"
    pause = whole * moment / (MOMENTS - 1)
    backend.start()
    time.sleep(pause)
    backend.signal(number)
    code = backend.exit_code()
    if " was done; the next start continues from there." not in backend.output:  # not inside a migration
        assert seconds_from_signal_to_end(backend) < PROMPT, backend.output
    if not (number == "SIGINT" and python_itself_was_starting(backend.output)):
        # Whoever serves stops the server; before that, the boot is broken off.
        assert code == (0 if "Shutting down: Master" in backend.output else CODES[number]), backend.output
        assert [each for each in backend.records if each["level"] not in ("INFO", "ERROR")] == []
    until(lambda: database.advisory_locks() == 0, "the lock's end")
    assert sorted(set(database.migrations())) == database.migrations()
    again = lab.backend("migrate", **database.environment).start()
    assert again.exit_code() == 0, again.output
    assert database.schema() == schema


def test_sigterm_while_waiting_for_the_database(lab):
    backend = lab.backend(POSTGRES_PASSWORD="x").start().until_logged("Waiting for PostgreSQL")
    backend.signal("SIGTERM")
    assert backend.exit_code() == 143
    assert seconds_from_signal_to_end(backend) < PROMPT


def test_sigterm_while_waiting_for_another_replica(lab, database, tmp_path):
    slow = migration(tmp_path, 'migrations.RunSQL("SELECT pg_sleep(600)")')
    holder = lab.backend("migrate", options=slow, **database.environment).start().until_logged("0004_test")
    backend = lab.backend(**database.environment).start().until_logged("Another replica is applying")
    backend.signal("SIGTERM")
    assert backend.exit_code() == 143
    assert seconds_from_signal_to_end(backend) < PROMPT
    holder.signal("SIGKILL")
    until(lambda: database.advisory_locks() == 0, "the lock's end")


@pytest.mark.proves(
    "A container ends by itself at SIGTERM or SIGINT, before the engine would kill it, and its database is whole"
)
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_inside_a_migration_waits_for_its_end(lab, database, tmp_path, number):
    """The migration is whole and recorded, the next one is not begun."""
    database.sql("CREATE TABLE gate (open boolean)")
    database.sql(f"GRANT SELECT ON gate TO {database.user}")
    # It waits, but for no lock: from that wait a signal takes it.
    wait = "DO $$BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.1); END LOOP; END$$"
    operations = (
        "migrations.CreateModel('Half', [('id', models.BigAutoField(primary_key=True))]),"
        f' migrations.RunSQL("{wait}"),'
        " migrations.CreateModel('Other', [('id', models.BigAutoField(primary_key=True))]),"
    )
    options = migration(tmp_path, operations) + migration(tmp_path, "", number=5, after="0004_test")
    backend = lab.backend(options=options, **database.environment).start().until_logged("0004_test")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$BEGIN WHILE%'"
    backend.until(lambda: database.sql(waiting) == [(1,)], "a migration under way")
    backend.signal(number)
    assert backend.running
    assert "0004_test" not in database.migrations()
    database.sql("INSERT INTO gate VALUES (true)")
    assert backend.exit_code() == CODES[number], backend.output
    assert "once meals.0004_test was done" in backend.output
    assert database.migrations()[-1] == "0004_test"
    assert database.sql("SELECT to_regclass('meals_half'), to_regclass('meals_other')") == [
        ("meals_half", "meals_other")
    ]
    assert database.advisory_locks() == 0


def test_sigkill_inside_a_migration_leaves_nothing(lab, database, tmp_path):
    operations = (
        "migrations.CreateModel('Half', [('id', models.BigAutoField(primary_key=True))]),"
        ' migrations.RunSQL("SELECT pg_sleep(600)"),'
    )
    options = migration(tmp_path, operations)
    backend = lab.backend(options=options, **database.environment).start().until_logged("0004_test")
    sleeping = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND datname = '{database.name}' AND pid <> pg_backend_pid()"
    backend.until(lambda: database.sql(sleeping) == [(1,)], "a running migration")
    backend.signal("SIGKILL")
    assert backend.exit_code() == 137
    until(lambda: database.advisory_locks() == 0, "the lock's end")
    database.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{database.user}'")
    until(lambda: database.sql(sleeping) == [(0,)], "the migration's end")
    assert database.sql("SELECT to_regclass('meals_half')") == [(None,)]
    assert lab.backend("migrate", **database.environment).start().exit_code() == 0


# --- While serving ----------------------------------------------------------------------------------------


class Blocked:
    """Requests to /api/meals/ that PostgreSQL holds back until `release`: slow requests, without any clock."""

    def __init__(self, backend: Container, database: Database) -> None:
        self.backend = backend
        self.database = database
        self.answers: list[Response | Exception] = []
        self.threads: list[threading.Thread] = []
        self.connection = database.server.connect(database.name)
        self.connection.autocommit = False
        self.connection.cursor().execute("LOCK TABLE meals_meal IN ACCESS EXCLUSIVE MODE")

    def request(self, count: int = 1) -> None:
        port = self.backend.port

        def ask() -> None:
            try:
                self.answers.append(self.backend.get("/api/meals/", port=port, **API))
            except (OSError, http.client.HTTPException) as error:
                self.answers.append(error)

        for _ in range(count):
            self.threads.append(threading.Thread(target=ask))
            self.threads[-1].start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            f" AND datname = '{self.database.name}' AND query LIKE '%meals_meal%'"
        )
        # The answer comes from the server's own database: the test's is locked for nobody else.
        until(lambda: self.database.server.sql(waiting) == [(len(self.threads),)], "requests in flight")

    def release(self) -> list[Response | Exception]:
        self.connection.rollback()
        self.connection.close()
        for thread in self.threads:
            thread.join()
        return self.answers


CONNECT = """
import socket
try:
    connection = socket.create_connection(("backend", 8000), timeout=5)
    connection.sendall(b"GET /api/health/live/ HTTP/1.0\\r\\n\\r\\n")
    print(connection.recv(100) or "closed")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.proves("While it stops, requests in flight finish and new connections are refused")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_requests_in_flight_finish_and_new_ones_are_refused(lab, database, number):
    options = ("--network-alias", "backend", "--publish", "127.0.0.1::8000")
    backend = lab.backend(options=options, GUNICORN_GRACEFUL_TIMEOUT="60", **database.environment)
    backend.start().until_answers()
    client = lab.create("sleep", "600", what="client").start()
    assert "200 OK" in client.execute("python3", "-c", CONNECT).stdout
    blocked = Blocked(backend, database)
    blocked.request()
    backend.signal(number)
    until(
        lambda: client.execute("python3", "-c", CONNECT).stdout.strip() == "ConnectionRefusedError",
        "a refused connection",
        patience=20,
    )
    assert backend.running
    (answer,) = blocked.release()
    assert isinstance(answer, Response), answer
    assert answer.status == 200
    assert answer.json["count"] == 0
    assert backend.exit_code() == 0
    assert [each for each in backend.records if each["level"] != "INFO"] == []


@pytest.mark.proves("While it stops, requests in flight finish and new connections are refused")
def test_what_takes_too_long_is_cut_off(lab, database):
    """After GUNICORN_GRACEFUL_TIMEOUT, so that the engine's SIGKILL after 10 s is not needed."""
    backend = lab.backend(GUNICORN_GRACEFUL_TIMEOUT="2", **database.environment).start().until_answers()
    blocked = Blocked(backend, database)
    blocked.request()
    backend.signal("SIGTERM")
    assert backend.exit_code() == 0
    (answer,) = blocked.release()
    assert isinstance(answer, Exception)


@pytest.mark.proves(
    "A container ends by itself at SIGTERM or SIGINT, before the engine would kill it, and its database is whole"
)
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_an_idle_server_is_gone_at_once(lab, database, number):
    backend = lab.backend(**database.environment).start().until_answers()
    backend.signal(number)
    assert backend.exit_code() == 0
    assert seconds_from_signal_to_end(backend) < PROMPT
    assert [each for each in backend.records if each["level"] != "INFO"] == []


def test_docker_stop_ends_it_by_itself(lab, database):
    backend = lab.backend(**database.environment).start().until_answers()
    backend.stop()
    assert backend.state["ExitCode"] == 0  # 137 would be SIGKILL


# --- Processes --------------------------------------------------------------------------------------------

ORPHAN = "import os, time\nif os.fork() == 0:\n    time.sleep(0.5)\n    os._exit(0)\n"


def test_no_zombies_and_no_lost_worker(lab, database):
    backend = lab.backend(**database.environment).start().until_answers()
    before = backend.until(lambda: workers_if(backend, 2), "two workers")
    assert backend.execute("kill", "-KILL", a_worker(backend)).returncode == 0
    backend.until(lambda: len(backend.workers()) == 2 and backend.workers() != before, "another worker")
    for _ in range(3):
        backend.execute("python3", "-c", ORPHAN)
    backend.until(lambda: len(backend.processes()) == 4, "init, master, two workers and nothing else")
    assert not [row for row in backend.processes() if row["stat"].startswith("Z")]


def workers_if(backend: Container, count: int) -> set[str]:
    """The workers, once there are so many."""
    found = backend.workers()
    return found if len(found) == count else set()


def a_worker(backend: Container) -> str:
    """One's number inside the container: a child of the child of PID 1."""
    rows = [line.split() for line in backend.execute("ps", "-o", "pid,ppid").stdout.splitlines()[1:]]
    masters = {pid for pid, ppid in rows if ppid == "1"}
    return next(pid for pid, ppid in rows if ppid in masters)


def test_pid_1_forwards_signals(lab, database):
    """PID 1 is an init; gunicorn's master gets what is sent to it: SIGHUP brings new workers."""
    backend = lab.backend(**database.environment).start().until_answers()
    assert "tini" in backend.execute("cat", "/proc/1/cmdline").stdout
    before = backend.until(lambda: workers_if(backend, 2), "two workers")
    backend.signal("SIGHUP")
    backend.until(lambda: len(backend.workers()) == 2 and not backend.workers() & before, "new workers")
    backend.until_answers()
    assert backend.running


def test_a_signal_to_a_database_that_hangs(lab, database):
    """psycopg2 is in the kernel, waiting; no handler of Python's could run."""
    silent = 'import socket, time; s = socket.create_server(("", 5432)); print("silent", flush=True); time.sleep(600)'
    server = lab.create("python3", "-c", silent, options=("--network-alias", "silent")).start()
    server.until_logged("silent")
    backend = lab.backend(POSTGRES_HOST="silent", POSTGRES_PASSWORD=secrets.token_hex(8)).start()
    backend.until_logged("Configuration: ")
    time.sleep(0.5)
    backend.signal("SIGTERM")
    assert backend.exit_code() == 143
    assert seconds_from_signal_to_end(backend) < PROMPT
