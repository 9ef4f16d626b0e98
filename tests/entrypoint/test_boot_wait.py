"""The command wait: a program starts once others have migrated, and is then what the process is."""

from __future__ import annotations

import signal

import pytest

from tests.entrypoint.booting import PASSWORD
from tests.running import free_port

SLEEP = "migrations.RunSQL('SELECT pg_sleep(2)')"
# It tells that it ends, and by which code: what a worker does with the job in hand.
PROGRAM = (
    'trap \'echo "ended"; exit 7\' TERM; echo "started $$ $POSTGRES_PASSWORD"; while :; do sleep 0.05; done'
)
SQLITE = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}"


@pytest.mark.proves("A worker starts once all migrations of its image are applied")
def test_a_program_starts_when_others_have_migrated(boot, project, sql, database, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    project.add_migration("0002_slow", "0001_initial", SLEEP)
    worker = boot(
        *("wait", "--", "sh", "-c", PROGRAM),
        POSTGRES_PASSWORD=None,
        POSTGRES_PASSWORD_FILE=str(secret),
        LOG_FORMAT="console",
    )
    worker.until_logged("shop.0001_initial, shop.0002_slow. Nobody applies any just now")
    migrating = boot("migrate")
    migrating.until_logged("Applying shop.0002_slow")
    late = boot("wait")
    late.until_logged("Another replica is applying migrations (pid ")
    assert "started" not in worker.output
    assert late.messages(stage="wait")[-1].startswith(
        "Waiting for these migrations (at most 600 s): shop.0002_slow"
    )
    assert migrating.exit_code() == 0
    worker.until_logged(f"started {worker.process.pid} {PASSWORD}")
    assert sql("SELECT count(*) FROM django_migrations WHERE name = '0002_slow'", database=database) == [(1,)]
    assert worker.stop(signal.SIGTERM) == 7
    assert worker.output.endswith("ended\n")
    assert late.exit_code() == 0


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["sh", "-c", "echo $0", "-- x"], "-- x\n"),
        (["manage", "showmigrations", "shop"], "shop\n [X] 0001_initial\n"),
    ],
)
def test_it_becomes_the_program_as_given(boot, arguments, output):
    assert boot("migrate").exit_code() == 0
    running = boot("wait", "--", *arguments, RUN_MIGRATIONS="0", MIGRATIONS_STRICT="0")
    assert running.exit_code() == 0
    assert running.output.endswith(f"\n{output}")


@pytest.mark.proves("A worker starts once all migrations of its image are applied")
def test_in_vain(boot, project, sql, database):
    """Neither RUN_MIGRATIONS nor the emergency mode starts a program on tables that it does not expect."""
    assert boot("migrate").exit_code() == 0
    for number in range(2, 14):
        project.add_migration(
            f"{number:04}_more", "0001_initial" if number == 2 else f"{number - 1:04}_more", ""
        )
    running = boot("wait", "--", "touch", "started", MIGRATION_LOCK_TIMEOUT="1", MIGRATIONS_STRICT="0")
    assert running.exit_code() == 21
    assert running.error.startswith(
        "After 1 s these migrations are not applied: shop.0002_more, shop.0003_more"
    )
    assert "shop.0011_more and 2 more. Nobody applies any just now: " in running.error
    assert not (project.directory / "started").exists()
    assert sql("SELECT count(*) FROM django_migrations", database=database) == [(1,)], "it migrates nothing"


def test_a_squashed_migration_is_as_good(boot, project, sql, database):
    project.add_migration("0002_more", "0001_initial", "")
    assert boot("migrate").exit_code() == 0
    project.add_migration(
        "0001_squashed", "x", "", extra="replaces = [('shop', '0001_initial'), ('shop', '0002_more')]"
    )
    file = project.directory / "shop/migrations/0001_squashed.py"
    file.write_text(file.read_text().replace("[('shop', 'x')]", "[]"))
    assert boot("wait").exit_code() == 0
    sql("DELETE FROM django_migrations WHERE name = '0002_more'", database=database)
    assert boot("wait", MIGRATION_LOCK_TIMEOUT="1").exit_code() == 21


def test_a_database_that_is_ahead(boot, sql, database):
    assert boot("migrate").exit_code() == 0
    sql(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_later', now())",
        database=database,
    )
    warned = boot("wait")
    assert warned.exit_code() == 0
    assert "shop.0002_later" in warned.messages(level="WARNING")[0]
    assert boot("wait", "--", "true", SCHEMA_AHEAD="refuse").exit_code() == 19


def test_a_database_that_goes_away(boot, sql, database):
    running = boot("wait")
    running.until_logged("Waiting for these migrations")
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database)
    assert running.exit_code() == 11
    assert running.error.startswith("The database went away while we waited for its migrations")


def test_another_database_than_postgresql(boot, project):
    project.add_setting(SQLITE)
    assert boot("wait", MIGRATION_LOCK_TIMEOUT="1").exit_code() == 21
    assert boot("migrate").exit_code() == 0
    assert boot("wait", "--", "sh", "-c", "exit 5").exit_code() == 5


def test_migrations_that_cannot_be_read(boot, project):
    project.add_migration("0002_lost", "0001_nowhere", "")
    running = boot("wait")
    assert running.exit_code() == 13
    assert running.error.startswith("The migrations cannot be read: NodeNotFoundError")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SECRET_KEY_FILE": "/nowhere", "SECRET_KEY": None, "RUN_MIGRATIONS": "x"}, 10),
        ({"POSTGRES_PORT": str(free_port()), "DATABASE_WAIT_TIMEOUT": "1"}, 11),
        ({"POSTGRES_PASSWORD": "wrong"}, 12),
    ],
)
def test_what_ends_a_boot_ends_it_too(boot, changes, code):
    running = boot("wait", "--", "echo", "started", **changes)
    assert running.exit_code() == code
    assert "started" not in running.output
    if code == 10:
        assert "SECRET_KEY_FILE" in running.error
        assert "RUN_MIGRATIONS is 'x'" in running.error


@pytest.mark.proves("SIGTERM ends the boot at any moment, but never inside a migration")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_waits(boot, number):
    running = boot("wait", "--", "echo", "started")
    running.until_logged("Waiting for these migrations")
    assert running.stop(number) == -number
    assert "started" not in running.output


@pytest.mark.parametrize(("program", "code"), [(["nowhere"], 127), (["/"], 126)])
def test_a_program_that_cannot_be_run(boot, program, code):
    assert boot("migrate").exit_code() == 0
    assert boot("wait", "--", *program).exit_code() == code


def test_arguments_without_the_separator(boot):
    running = boot("wait", "celery", "worker")
    assert running.exit_code() == 10
    assert running.error == "wait does not take 'celery': write `wait -- PROGRAM ARGS`, or wait alone."
