"""Replicas that start together on one empty database: all of them serve, every migration is applied once."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tarfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.container.engine import Container, docker
from tests.container.lab import Database, Lab, migration, unique
from tests.container.needs import need
from tests.running import until

REPLICAS = 8
LAST = "0005_test"


@pytest.fixture
def counting(database, tmp_path) -> tuple[str, ...]:
    """Two more migrations: a slow one, so that all replicas meet, and one that leaves a mark whenever it is run."""
    database.sql("CREATE TABLE marks (made timestamptz DEFAULT now())")
    database.sql(f"ALTER TABLE marks OWNER TO {database.user}")
    slow = migration(tmp_path, 'migrations.RunSQL("SELECT pg_sleep(3)")')
    mark = migration(
        tmp_path, 'migrations.RunSQL("INSERT INTO marks DEFAULT VALUES")', number=5, after="0004_test"
    )
    return slow + mark


def start(lab: Lab, options: tuple[str, ...], count: int = REPLICAS, **env: str) -> list[Container]:
    """Create them all, then start them as nearly at once as the engine can."""
    options = ("--publish", "127.0.0.1::8000", *options)
    replicas = [lab.backend(options=options, **{"WEB_CONCURRENCY": "1", **env}) for _ in range(count)]
    docker("start", *(each.id for each in replicas))
    return replicas


# Migrations are the matter: without static files, eight replicas boot in half the time.
QUICK = {"RUN_COLLECTSTATIC": "0"}


def all_serve(replicas: list[Container]) -> None:
    with ThreadPoolExecutor(len(replicas)) as pool:
        list(pool.map(Container.until_answers, replicas))


def applied_once(database: Database, replicas: list[Container]) -> None:
    """The world's word for it, and the logs'."""
    rows = database.sql("SELECT app, name FROM django_migrations")
    assert [row for row, count in Counter(rows).items() if count > 1] == []
    assert ("meals", LAST) in rows
    assert database.sql("SELECT count(*) FROM marks") == [(1,)]
    told = Counter(
        record["migration"]
        for each in replicas
        for record in each.records
        if record["message"].startswith("Applied ")
    )
    assert told == Counter(f"{app}.{name}" for app, name in rows)
    assert database.advisory_locks() == 0


def holder(database: Database, replicas: list[Container]) -> Container:
    """Whose connection has the migration lock."""
    query = (
        "SELECT host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        f" WHERE locktype = 'advisory' AND granted AND datname = '{database.name}'"
    )
    ((address,),) = until(lambda: database.server.sql(query), "a replica with the lock")
    return next(each for each in replicas if each.address == address)


def applying(replicas: list[Container], name: str) -> Container:
    """The one that says that it is applying this migration."""

    def found() -> Container | None:
        return next((each for each in replicas if f"Applying meals.{name}." in each.output), None)

    return until(found, f"a replica that applies {name}", pause=0.5)


@pytest.mark.proves(
    "Eight containers on an empty database apply each migration once, one of them killed, also through PgBouncer"
)
def test_eight_replicas_on_an_empty_database(lab, database, counting):
    replicas = start(lab, counting, **database.environment)
    all_serve(replicas)
    applied_once(database, replicas)
    for each in replicas:
        assert [record for record in each.records if record["level"] != "INFO"] == []
    # One that an engine was slow to start may find all of it done.
    assert any("Another replica is applying migrations" in each.output for each in replicas)


def test_replicas_that_share_the_static_volume(lab, database, counting):
    """They collect into one directory: one copies, the others find everything in place."""
    volume = lab.volume()
    replicas = start(
        lab, (*counting, "--volume", f"{volume}:/app/staticfiles"), count=4, **database.environment
    )
    all_serve(replicas)
    applied_once(database, replicas)
    copied = [record["copied"] for each in replicas for record in each.records if "copied" in record]
    assert len(copied) == len(replicas)
    assert sorted(copied)[:-1] == [0] * (len(replicas) - 1)
    assert max(copied) > 100
    for each in replicas:
        assert each.get("/static/admin/css/base.css").status == 200
        assert [record for record in each.records if record["level"] != "INFO"] == []


@pytest.mark.proves(
    "Eight containers on an empty database apply each migration once, one of them killed, also through PgBouncer"
)
def test_the_holder_of_the_lock_is_killed(lab, database, counting):
    replicas = start(lab, counting, **database.environment, **QUICK)
    applying(replicas, "0004_test")
    killed = holder(database, replicas)
    killed.signal("SIGKILL")
    assert killed.exit_code() == 137
    rest = [each for each in replicas if each is not killed]
    all_serve(rest)
    applied_once(database, replicas)


def test_failing_migrations_fail_in_every_replica(lab, database, tmp_path):
    """One after the other tries, and each says the same; the lock is handed on, not lost."""
    options = migration(tmp_path, "migrations.RunPython(fail)")
    replicas = start(lab, options, count=4, **database.environment)
    for each in replicas:
        assert each.exit_code() == 13
        assert "the fridge is empty" in each.error
    assert database.advisory_locks() == 0


# --- Through PgBouncer, where a session is nobody's own ---------------------------------------------------

BOUNCER = """\
[databases]
* = host=db port=5432
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 6432
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/users
pool_mode = {mode}
default_pool_size = {pool}
max_client_conn = 500
query_wait_timeout = 10
{more}
"""


@pytest.fixture(scope="session")
def bouncer_image(images, tmp_path_factory) -> str:
    """Debian's pgbouncer of this machine, with the libraries it needs, as an image of its own."""
    need("pgbouncer", "pgbouncer")
    program = Path(shutil.which("pgbouncer") or "/usr/sbin/pgbouncer")
    archive = tmp_path_factory.mktemp("bouncer") / "image.tar"
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, env={}).stdout
    libraries = [word for line in linked.splitlines() for word in line.split() if word.startswith("/")]
    with tarfile.open(archive, "w", dereference=True) as tar:
        tar.add(program, "pgbouncer")
        for library in libraries:
            tar.add(library, library.lstrip("/"))
    tag = f"{unique('pgbouncer')}:latest"
    docker("import", str(archive), tag)
    yield tag
    docker("rmi", "--force", tag, check=False)


@pytest.fixture
def bouncer(lab, database, bouncer_image, tmp_path):
    """Start PgBouncer between the backend and the server; returns the environment that leads through it."""

    def start_bouncer(pool: int = 20, more: str = "", mode: str = "transaction") -> dict[str, str]:
        (tmp_path / "pgbouncer.ini").write_text(BOUNCER.format(pool=pool, more=more, mode=mode))
        (tmp_path / "users").write_text(f'"{database.user}" "{database.password}"\n')
        options: tuple[str, ...] = ("--user", "1000:1000", "--network-alias", "bouncer")
        for name in ("pgbouncer.ini", "users"):
            (tmp_path / name).chmod(0o644)
            options += ("--volume", f"{tmp_path / name}:/etc/pgbouncer/{name}:ro")
        container = lab.create(
            "/pgbouncer", "/etc/pgbouncer/pgbouncer.ini", image=bouncer_image, options=options
        )
        container.start().until_logged("process up")
        return {**database.environment, "POSTGRES_HOST": "bouncer", "POSTGRES_PORT": "6432"}

    return start_bouncer


@pytest.mark.proves(
    "Eight containers on an empty database apply each migration once, one of them killed, also through PgBouncer"
)
def test_eight_replicas_through_pgbouncer(lab, database, counting, bouncer):
    replicas = start(lab, counting, **bouncer(), **QUICK)
    all_serve(replicas)
    applied_once(database, replicas)
    answer = replicas[0].get("/api/meals/", Host="api.example.com", X_Forwarded_Proto="https")
    assert answer.json["count"] == 0


@pytest.mark.proves(
    "Eight containers on an empty database apply each migration once, one of them killed, also through PgBouncer"
)
def test_the_holder_is_killed_behind_pgbouncer(lab, database, counting, bouncer):
    """The server sees PgBouncer alone; the lock must not stay with a session that nobody uses."""
    replicas = start(lab, counting, count=4, **bouncer(), **QUICK)
    killed = applying(replicas, "0004_test")
    killed.signal("SIGKILL")
    assert killed.exit_code() == 137
    all_serve([each for each in replicas if each is not killed])
    applied_once(database, replicas)


@pytest.mark.proves("One free connection is too few to migrate")
@pytest.mark.proves(
    "Eight containers on an empty database apply each migration once, one of them killed, also through PgBouncer"
)
def test_a_pool_of_one_connection(lab, database, bouncer):
    """The lock takes the only connection, and the migrations wait for another: a sentence, and no lock stays."""
    replicas = start(lab, (), count=2, **bouncer(pool=1, more="query_wait_timeout = 3"))
    for each in replicas:
        assert each.exit_code() == 11, each.output
        assert "let it open at least two connections" in each.error
    until(lambda: database.advisory_locks() == 0, "the lock's end")
    assert database.migrations() == []


@pytest.mark.proves("A pooler in statement mode is told apart")
def test_a_pooler_in_statement_mode(lab, database, bouncer):
    (backend,) = start(lab, (), count=1, **bouncer(mode="statement"))
    assert backend.exit_code() == 12
    assert "migrating needs transaction or session mode" in backend.error
    assert database.migrations() == []


def test_a_pool_of_two_connections(lab, database, counting, bouncer):
    """One for the lock, one for the migrations: enough."""
    replicas = start(lab, counting, count=3, **bouncer(pool=2), **QUICK)
    all_serve(replicas)
    applied_once(database, replicas)


WAITING = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database()
    AND application_name LIKE 'entrypoint migrates %' AND wait_event_type = 'Lock'
"""


@pytest.mark.proves("A migration that waits for a lock does not stop the site")
@pytest.mark.proves("A replica that is stopped or killed leaves no statement that waits")
def test_waiting_for_a_lock_behind_pgbouncer(lab, database, bouncer, tmp_path):
    """The limit, the names of sessions and the end of a killed replica's statement reach through the pooler."""
    through = {**bouncer(pool=4), "MIGRATION_DDL_LOCK_TIMEOUT": "1"}
    assert lab.backend("migrate", **through).start().exit_code() == 0
    alter = migration(tmp_path, "migrations.RunSQL('ALTER TABLE meals_meal ADD COLUMN price int')")
    with (
        contextlib.closing(database.server.connect(database.name)) as forgotten,
        forgotten.cursor() as cursor,
    ):
        cursor.execute("BEGIN; SELECT 1 FROM meals_meal")
        for name, code in (("SIGKILL", 137), ("SIGTERM", 143)):
            patient = lab.backend(
                "migrate", options=alter, **{**through, "MIGRATION_DDL_LOCK_TIMEOUT": "3600"}
            ).start()
            until(lambda: database.sql(WAITING), "its wait")
            patient.signal(name)
            assert patient.exit_code() == code
            until(lambda: not database.sql(WAITING), "the end of its statement")
        backend = lab.backend("migrate", options=alter, **through).start()
        backend.until_logged(f"In the way: pid {forgotten.info.backend_pid}, user postgres")
        backend.until_logged("is tried again in 2 s")
        cursor.execute("ROLLBACK")
    assert backend.exit_code() == 0, backend.output
    assert database.migrations()[-1] == "0004_test"
    # Sessions of the pool are as they were.
    pooled = lab.backend("manage", "shell", "-c", TELL, **through).start()
    assert pooled.exit_code() == 0
    assert "lock_timeout is 0" in pooled.output


TELL = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW lock_timeout")
    print("lock_timeout is", *cursor.fetchone())
"""
