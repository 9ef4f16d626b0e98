"""Waiting for PostgreSQL: what waiting can mend is retried until a deadline, the rest ends the boot."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import threading
from types import SimpleNamespace

import pytest

from entrypoint import configuration
from entrypoint.errors import BootError
from entrypoint.stages import wait as wait_stage
from tests.entrypoint.booting import FILES, PASSWORD
from tests.running import free_port


@pytest.mark.proves("PostgreSQL is waited for, and given up at the deadline with an error")
def test_refused_until_the_deadline(boot):
    running = boot(POSTGRES_PORT=str(free_port()), DATABASE_WAIT_TIMEOUT="1")
    assert running.exit_code() == 11
    assert "was not available within 1 s: Connection refused." in running.error
    assert "POSTGRES_HOST, POSTGRES_PORT" in running.error


@pytest.mark.proves("At most 30 attempts, 2 s apart, 60 s in all")
def test_thirty_attempts_in_sixty_seconds(monkeypatch):
    """On a clock of the test's own, against a server that refuses."""
    clock = [0.0]
    attempts: list[float] = []

    def attempt(*_: object) -> str:
        attempts.append(clock[0])
        return "Connection refused"

    monkeypatch.setattr(wait_stage.database, "own_connection", lambda _: SimpleNamespace(vendor="postgresql"))
    monkeypatch.setattr(wait_stage.database, "name", lambda _: "PostgreSQL")
    monkeypatch.setattr(wait_stage.origin, "of", lambda *_, **__: "the settings")
    monkeypatch.setattr(wait_stage, "_attempt", attempt)
    monkeypatch.setattr(wait_stage.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(wait_stage.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    with pytest.raises(BootError) as failure:
        wait_stage.wait(configuration.read({}, {}))
    assert failure.value.code == 11
    assert attempts == [2.0 * number for number in range(30)]
    assert clock[0] <= 60


@pytest.mark.proves("PostgreSQL is waited for, and given up at the deadline with an error")
def test_a_host_that_cannot_be_resolved_is_waited_for(boot):
    running = boot(POSTGRES_HOST="db.invalid", DATABASE_WAIT_TIMEOUT="1")
    assert running.exit_code() == 11
    assert 'could not translate host name "db.invalid"' in running.error


@pytest.mark.proves("PostgreSQL is waited for, and given up at the deadline with an error")
def test_a_host_that_never_answers_is_given_up(boot):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        running = boot(POSTGRES_PORT=str(silent.getsockname()[1]), DATABASE_WAIT_TIMEOUT="2")
        assert running.exit_code() == 11
    assert "was not available within 2 s: no answer within 2 s" in running.error


@pytest.mark.proves("PostgreSQL is waited for, and given up at the deadline with an error")
def test_a_server_that_comes_up_late_is_used(boot, cluster):
    port = free_port()
    running = boot("migrate", POSTGRES_PORT=str(port))
    running.until_logged("Connection refused")
    with forwarding(port, cluster.port):
        assert running.exit_code() == 0
    assert running.messages(stage="wait")[-1].endswith(" is ready.")


def test_a_connection_that_is_lost_while_it_is_set_up_is_made_anew(boot, project, cluster):
    """As a pooler does that has no connection to give: it takes the client, then ends it at its first query."""
    project.add_setting("DATABASES['default']['TIME_ZONE'] = 'Asia/Tokyo'")
    port = free_port()
    with forwarding(port, cluster.port, cut_at=b"Asia/Tokyo"):
        running = boot("migrate", POSTGRES_PORT=str(port))
        assert running.exit_code() == 0, running.output
    waited, ready = running.messages(stage="wait")
    assert "server closed the connection unexpectedly" in waited
    assert ready.endswith(" is ready.")


ENDING = """
import os, psycopg2
from django.core import checks

@checks.register()
def a_restart(**_):
    names = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "DB", "password": "PASSWORD"}
    own = psycopg2.connect(**{key: os.environ[f"POSTGRES_{name}"] for key, name in names.items()})
    with own.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                       " WHERE datname = current_database() AND pid <> pg_backend_pid()")
        assert cursor.fetchall() == [(True,)]
    own.close()
    return []
"""


def test_a_restart_before_the_first_transaction_is_no_pooler(boot, project):
    """The session that has waited for PostgreSQL is ended before it migrates."""
    models = project.directory / "shop/models.py"
    models.write_text(models.read_text() + ENDING)
    running = boot("migrate")
    assert running.exit_code() == 0, running.output


@pytest.mark.proves("A pooler in statement mode is told apart")
def test_a_pooler_in_statement_mode(boot, cluster):
    """It ends the connection at BEGIN, and its own words for that are lost on the way."""
    port = free_port()
    with forwarding(port, cluster.port, cut_at=b"BEGIN", times=100):
        running = boot("migrate", POSTGRES_PORT=str(port))
        assert running.exit_code() == 12
    assert "migrating needs transaction or session mode (pool_mode)" in running.error


def test_too_many_connections_are_waited_out(boot, sql, database):
    sql(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
    running = boot("migrate")
    running.until_logged("too many connections")
    sql(f'ALTER DATABASE "{database}" CONNECTION LIMIT -1')
    assert running.exit_code() == 0


@pytest.mark.proves("PostgreSQL is waited for, and given up at the deadline with an error")
def test_too_many_connections_until_the_deadline(boot, sql, database):
    sql(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
    running = boot(DATABASE_WAIT_TIMEOUT="1")
    assert running.exit_code() == 11
    assert "too many connections for database" in running.error
    assert "raise the limit (max_connections)" in running.error
    assert "address" not in running.error


@pytest.mark.proves("What waiting cannot mend fails at once")
@pytest.mark.parametrize(
    ("changes", "reason", "advice"),
    [
        ({"POSTGRES_PASSWORD": "wrong-password"}, "password authentication failed", "POSTGRES_PASSWORD_FILE"),
        ({"POSTGRES_PASSWORD": ""}, "no password supplied", "POSTGRES_PASSWORD"),
        ({"POSTGRES_DB": "nowhere"}, 'database "nowhere" does not exist', "create the database"),
        ({"POSTGRES_USER": "nobody_here"}, 'authentication failed for user "nobody_here"', "POSTGRES_USER"),
        ({"PATH": "/nowhere"}, "pg_isready cannot be run: No such file or directory", "PATH"),
    ],
)
def test_what_waiting_cannot_mend_fails_at_once(boot, changes, reason, advice):
    # Were it retried, the test would give up before the boot does.
    running = boot(**changes, DATABASE_WAIT_TIMEOUT="3600")
    assert running.exit_code() == 12
    assert reason in running.error
    assert advice in running.error
    assert PASSWORD not in running.output
    assert "wrong-password" not in running.output


URL = (
    "DATABASES['default'].update(HOST=url.hostname, PORT=url.port, USER=url.username, PASSWORD=url.password)"
)


@pytest.mark.proves("Advice names the variables that the project uses")
@pytest.mark.parametrize(
    ("settings", "variables", "advice"),
    [
        (
            f"from urllib.parse import urlsplit\nurl = urlsplit(os.environ['DATABASE_URL'])\n{URL}",
            {"DATABASE_URL": "postgresql://app:wrong-password@127.0.0.1:{port}/shop"},
            {"login": "(DATABASE_URL)", "address": "(DATABASE_URL)"},
        ),
        (
            (
                "DATABASES['default'].update(HOST=os.getenv('DB_HOST', '127.0.0.1'), PORT=os.environ['DB_PORT'],"
                " USER=os.environ.get('DB_USERNAME', 'app'), PASSWORD=os.environ['DB_PASS'])"
            ),
            {"DB_PORT": "{port}", "DB_PASS": "wrong-password", "DB_HOST_OF_A_REPLICA": "127.0.0.1"},
            {"login": "(DB_USERNAME, DB_PASS)", "address": "(DB_HOST, DB_PORT)"},
        ),
        (
            (
                "PORT = int((BASE_DIR / 'port').read_text())\nDATABASES['default'].update(HOST='127.0.0.1', PORT=PORT,"
                " USER='app', PASSWORD='wrong-password')"
            ),
            {},
            {
                "login": "(the settings' DATABASES['default'])",
                "address": "(the settings' DATABASES['default'])",
            },
        ),
    ],
    ids=["a URL", "other names", "none"],
)
def test_advice_names_what_the_project_reads(boot, project, cluster, settings, variables, advice):
    of_others = re.sub(r"os.environ.get\(.*\)", '"x"', FILES["config/settings/production.py"])
    project.write("config/settings/production.py", f"{of_others}\n{settings}\n")
    for port, exit_code, told in ((cluster.port, 12, "login"), (free_port(), 11, "address")):
        project.write("port", str(port))
        given = {name: value.format(port=port) for name, value in variables.items()}
        running = boot(**given, DATABASE_WAIT_TIMEOUT="1")
        assert running.exit_code() == exit_code
        assert advice[told] in running.error
        assert "POSTGRES" not in running.error


@pytest.mark.proves("What waiting cannot mend fails at once")
def test_no_right_to_connect_fails_at_once(boot, sql, database):
    sql(
        "DO $$ BEGIN CREATE ROLE stranger LOGIN PASSWORD 'stranger-password'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    sql(f'REVOKE CONNECT ON DATABASE "{database}" FROM PUBLIC')
    running = boot(
        POSTGRES_USER="stranger", POSTGRES_PASSWORD="stranger-password", DATABASE_WAIT_TIMEOUT="3600"
    )
    assert running.exit_code() == 12
    assert "permission denied for database" in running.error
    assert "grant the role CONNECT on the database" in running.error


def test_a_role_that_may_not_log_in_fails_at_once(boot, sql):
    sql(
        "DO $$ BEGIN CREATE ROLE sleeper NOLOGIN PASSWORD 'sleeper-password'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    running = boot(
        POSTGRES_USER="sleeper", POSTGRES_PASSWORD="sleeper-password", DATABASE_WAIT_TIMEOUT="3600"
    )
    assert running.exit_code() == 12
    assert 'role "sleeper" is not permitted to log in' in running.error


@pytest.mark.proves("What waiting cannot mend fails at once")
def test_no_entry_in_pg_hba_fails_at_once(boot, cluster, sql, database):
    hba = cluster.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"host {database} app 127.0.0.1/32 reject\n{before}")
    sql("SELECT pg_reload_conf()")
    try:
        running = boot(DATABASE_WAIT_TIMEOUT="3600")
        assert running.exit_code() == 12
        assert "pg_hba.conf rejects connection" in running.error
    finally:
        hba.write_text(before)
        sql("SELECT pg_reload_conf()")


@pytest.mark.proves("Emergency mode forgives no refused database")
def test_emergency_mode_does_not_forgive_a_refused_database(boot):
    assert boot(MIGRATIONS_STRICT="0", POSTGRES_DB="nowhere").exit_code() == 12
    assert (
        boot(MIGRATIONS_STRICT="0", POSTGRES_PORT=str(free_port()), DATABASE_WAIT_TIMEOUT="1").exit_code()
        == 11
    )


def test_an_option_that_the_driver_does_not_know(boot, project):
    project.add_setting("DATABASES['default']['OPTIONS'] = {'no_such_option': 1}")
    running = boot(DATABASE_WAIT_TIMEOUT="3600")
    assert running.exit_code() == 12
    assert "no_such_option" in running.error


def test_a_socket_directory_is_a_host(boot, cluster):
    assert boot("migrate", POSTGRES_HOST=cluster.host).exit_code() == 0


def test_a_service_and_a_password_file_are_honoured(boot, project, cluster, database):
    service = project.write(
        "services.conf", f"[shop]\nhost=127.0.0.1\nport={cluster.port}\nuser=app\ndbname={database}\n"
    )
    passfile = project.write("passwords", f"127.0.0.1:{cluster.port}:*:app:{PASSWORD}\n")
    passfile.chmod(0o600)
    project.add_setting(
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql',"
        f" 'OPTIONS': {{'service': 'shop', 'passfile': {str(passfile)!r}}}}}}}"
    )
    running = boot("migrate", PGSERVICEFILE=str(service), POSTGRES_PASSWORD=None)
    assert running.exit_code() == 0
    assert "PostgreSQL at service shop is ready." in running.messages(stage="wait")


def test_sqlite_is_not_waited_for(boot, project):
    project.add_setting(
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}"
    )
    running = boot("migrate")
    assert running.exit_code() == 0
    assert "The database is SQLite, not PostgreSQL: nothing to wait for." in running.messages(stage="wait")
    assert (project.directory / "db.sqlite3").stat().st_size > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_wait(boot, number):
    running = boot(POSTGRES_PORT=str(free_port()), DATABASE_WAIT_TIMEOUT="3600")
    running.until_logged("Waiting for PostgreSQL")
    assert running.stop(number) == -number  # a shell and an init report 128 + number
    assert running.messages(level="ERROR") == []


@pytest.mark.proves("SIGTERM ends the boot at any moment, but never inside a migration")
def test_signals_end_a_connection_that_hangs(boot):
    """Python's handlers would run only when libpq returns; the default disposition does not wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        running = boot(POSTGRES_PORT=str(silent.getsockname()[1]), DATABASE_WAIT_TIMEOUT="3600")
        running.until_logged("Configuration: ")
        silent.accept()
        assert running.stop() == -signal.SIGTERM


@pytest.mark.parametrize(
    ("text", "reason", "permanent"),
    [
        (
            'connection to server at "10.0.0.1", port 5432 failed: FATAL:  role "x" does not exist\n',
            'role "x" does not exist',
            True,
        ),
        (
            (
                'connection to server at "::1", port 1 failed: Connection refused\n\tIs the server running?\n'
                'connection to server at "127.0.0.1", port 1 failed: FATAL:  database "y" does not exist\n'
            ),
            'database "y" does not exist',
            True,
        ),
        ("FATAL:  the database system is starting up\n", "the database system is starting up", False),
        ("FATAL:  the database system is shutting down\n", "the database system is shutting down", False),
        ("FATAL:  sorry, too many clients already\n", "sorry, too many clients already", False),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute\n",
            "remaining connection slots are reserved for roles with the SUPERUSER attribute",
            False,
        ),
        ("FATAL:  Datenbank »x« existiert nicht\n", "Datenbank »x« existiert nicht", False),
        (
            'FATAL:  no pg_hba.conf entry for host "1.2.3.4"\n',
            'no pg_hba.conf entry for host "1.2.3.4"',
            True,
        ),
        ("", "the server closed the connection", False),
    ],
)
def test_reasons(text, reason, permanent):
    assert wait_stage._reason(text) == reason
    assert any(re.search(pattern, reason) for pattern, *_ in wait_stage.PERMANENT) == permanent
    assert bool(re.search(wait_stage.EXHAUSTED, reason)) == ("too many" in text or "slots" in text)


@contextlib.contextmanager
def forwarding(port: int, target: int, cut_at: bytes | None = None, times: int = 1):
    """Pass connections to 127.0.0.1:port on to 127.0.0.1:target; end the first ones that say `cut_at`."""
    cuts = [cut_at] * times if cut_at else []

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if cuts and cuts[0] in data:
                    cuts.pop()
                    source.shutdown(socket.SHUT_RDWR)
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", target))
                threading.Thread(target=copy, args=(client, server), daemon=True).start()
                threading.Thread(target=copy, args=(server, client), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=serve, daemon=True).start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.proves("`pg_isready` is asked, with the settings' parameters")
def test_pg_isready_is_asked_first(boot, project, environment):
    """The program that the contract names is run, with the parameters of the settings."""
    programs = project.directory / "bin"
    real = shutil.which("pg_isready")
    program = project.write(
        "bin/pg_isready", f'#!/bin/sh\necho "$@" >> {project.directory}/asked\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    assert boot("migrate", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}").exit_code() == 0
    asked = (project.directory / "asked").read_text()
    for option, name in (("-h", "HOST"), ("-p", "PORT"), ("-U", "USER"), ("-d", "DB")):
        assert f"{option} {environment[f'POSTGRES_{name}']}" in asked


@pytest.mark.proves("A database that takes no writes is told of, and served from if it is meant")
def test_a_database_that_takes_no_writes(boot, project, sql, database):
    assert boot("migrate").exit_code() == 0
    project.add_migration("0002_more", "0001_initial", "migrations.RunSQL('CREATE TABLE more (x int)')")
    sql(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
    refused = boot()
    assert refused.exit_code() == 13
    assert "lead POSTGRES_HOST to the server that takes writes" in refused.error
    (warning,) = refused.messages(level="WARNING")
    assert warning.startswith("The database takes no writes (default_transaction_read_only is on): ")
    meant = boot(
        READ_ONLY="1", DJANGO_SUPERUSER_USERNAME="admin", DJANGO_SUPERUSER_PASSWORD="a-long-one"
    ).serving()
    assert "Migrations are skipped (READ_ONLY=1)." in meant.messages()
    assert meant.messages(level="WARNING") == []
    assert meant.stop() == 0
    assert sql("SELECT to_regclass('more') IS NULL", database=database) == [(True,)]
