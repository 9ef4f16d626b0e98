"""Migrations: applied exactly once however many replicas boot, never half, and their failures told apart."""

from __future__ import annotations

import contextlib
import signal

import pytest

from entrypoint.migration_lock import LOCK
from tests.entrypoint.booting import connect
from tests.running import free_port

SLEEP = "migrations.RunSQL('SELECT pg_sleep(0.7)')"


def applied(sql, database: str) -> list[str]:
    return [
        name
        for (name,) in sql(
            "SELECT name FROM django_migrations WHERE app = 'shop' ORDER BY id", database=database
        )
    ]


@pytest.mark.proves("A failing migration ends the boot")
def test_a_failing_migration_ends_the_boot(boot, project, sql, database):
    project.add_migration("0002_fail", "0001_initial", "migrations.RunPython(fail)")
    project.add_migration("0003_never", "0002_fail", "")
    running = boot()
    assert running.exit_code() == 13
    assert running.error == (
        "Migration shop.0002_fail failed: ValueError: the shelf is empty (shop/migrations/0002_fail.py:5)."
    )
    (record,) = [each for each in running.records if each["level"] == "ERROR"]
    assert record["exit_code"] == 13
    assert "shop/migrations/0002_fail.py:5 fail" in record["frames"]
    assert applied(sql, database) == ["0001_initial"]
    assert not project.static.exists(), "nothing after the failure has run"


@pytest.mark.proves("`MIGRATIONS_STRICT=0` logs a WARNING and continues")
def test_emergency_mode_warns_and_serves(boot, project, sql, database):
    project.add_migration("0002_fail", "0001_initial", "migrations.RunPython(fail)")
    running = boot(MIGRATIONS_STRICT="0").serving()
    (warning,) = running.messages(level="WARNING", stage="migrate")
    assert warning.startswith("DANGEROUS, MIGRATIONS_STRICT=0")
    assert "shop.0002_fail failed: ValueError: the shelf is empty" in warning
    assert applied(sql, database) == ["0001_initial"]
    assert (project.static / "staticfiles.json").is_file(), "the later stages have run"


def test_rows_do_not_reach_the_log(boot, project):
    project.add_migration(
        "0002_unique",
        "0001_initial",
        "migrations.RunSQL(\"INSERT INTO shop_item (name) VALUES ('alice@example'), ('alice@example')\"),"
        " migrations.RunSQL('CREATE UNIQUE INDEX ON shop_item (name)')",
    )
    running = boot()
    assert running.exit_code() == 13
    assert "could not create unique index" in running.error
    assert "alice" not in running.output


def test_a_user_without_rights(boot, sql, database):
    sql(
        "DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'reader-password'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    running = boot(POSTGRES_USER="reader", POSTGRES_PASSWORD="reader-password")
    assert running.exit_code() == 13
    assert "permission denied for schema public" in running.error
    assert "grant the database's user the right" in running.error


def test_failing_checks(boot, project):
    model = "\n    other = models.ForeignKey('no.Such', on_delete=models.CASCADE)\n"
    project.write("shop/models.py", (project.directory / "shop/models.py").read_text() + model)
    running = boot()
    assert running.exit_code() == 13
    assert "Django's checks fail" in running.error
    assert "fields.E300" in running.error


def test_urls_that_cannot_be_imported_are_not_forgiven(boot, project):
    project.write("config/urls.py", "import nowhere\n")
    running = boot(MIGRATIONS_STRICT="0")
    assert running.exit_code() == 18
    assert "No module named 'nowhere' (config/urls.py:1)" in running.error


@pytest.mark.proves("Replicas migrate once; a killed one frees the others")
def test_eight_replicas_on_an_empty_database(boot, project, sql, database):
    replicas = [boot(GUNICORN_BIND=f"127.0.0.1:{free_port()}") for _ in range(8)]
    for each in replicas:
        each.serving()
    rows = sql("SELECT app, name, count(*) FROM django_migrations GROUP BY 1, 2", database=database)
    assert {(app, name): count for app, name, count in rows} == {
        ("shop", "0001_initial"): 1,
    }
    ran = [each for each in replicas if any("Applied shop" in message for message in each.messages())]
    assert len(ran) == 1
    copied = [each for each in replicas if "3 static files copied" in each.output]
    assert len(copied) == 1, "the others found the files in place"


@pytest.mark.proves("Replicas migrate once; a killed one frees the others")
def test_a_killed_holder_frees_the_others(boot, project, sql, database):
    project.add_migration("0002_slow", "0001_initial", "migrations.RunSQL('SELECT pg_sleep(3600)')")
    holder = boot("migrate")
    holder.until_logged("Applying shop.0002_slow")
    waiting = boot("migrate")
    waiting.until_logged("Another replica is applying migrations (pid ")
    assert "user app, application_name 'entrypoint', idle in transaction since 20" in waiting.output
    # The second one meets a migration that takes no time: its file is read only once it has the lock.
    project.add_migration("0002_slow", "0001_initial", "")
    holder.process.kill()
    holder.exit_code()
    assert waiting.exit_code() == 0
    assert applied(sql, database) == ["0001_initial", "0002_slow"]


@pytest.mark.proves("Replicas migrate once; a killed one frees the others")
def test_waiting_too_long_for_the_lock(boot, cluster, sql, database):
    with contextlib.closing(connect(cluster, database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SET application_name = 'backup'; SELECT 'private'")
        pid = other.info.backend_pid
        running = boot(MIGRATION_LOCK_TIMEOUT="1")
        assert running.exit_code() == 14
        assert "for more than 1 s" in running.error
        assert (
            f"no replica's holds the migration lock (pid {pid}, user postgres, application_name 'backup')"
            in (running.error)
        )
        sql("GRANT pg_read_all_stats TO app")
        told = boot("migrate", MIGRATION_LOCK_TIMEOUT="1")
        assert told.exit_code() == 14
        sql("REVOKE pg_read_all_stats FROM app")
        assert "application_name 'backup', idle in transaction since 20" in told.error
        assert "private" not in told.output
        forgiven = boot(MIGRATION_LOCK_TIMEOUT="1", MIGRATIONS_STRICT="0").serving()
        assert any("for more than 1 s" in each for each in forgiven.messages(level="WARNING"))


def test_an_index_can_be_created_concurrently_under_the_lock(boot, project, sql, database):
    """It waits for every transaction that holds a snapshot; the lock's must hold none."""
    project.add_setting(
        "from django.db.backends.postgresql.psycopg_any import IsolationLevel\n"
        "DATABASES['default']['OPTIONS'] = {'isolation_level': IsolationLevel.SERIALIZABLE}"
    )
    project.add_migration(
        "0002_index",
        "0001_initial",
        "migrations.RunSQL('CREATE INDEX CONCURRENTLY item_name ON shop_item (name)')",
        extra="atomic = False",
    )
    assert boot("migrate").exit_code() == 0
    assert sql(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_name'::regclass", database=database
    ) == [(True,)]


def test_timeouts_of_the_server_do_not_break_the_lock(boot, project, sql, database):
    sql(f'ALTER DATABASE "{database}" SET idle_in_transaction_session_timeout = 200')
    project.add_migration("0002_slow", "0001_initial", SLEEP)
    running = boot("migrate")
    assert running.exit_code() == 0
    assert running.messages(level="WARNING") == []


def test_a_lost_lock_is_reported(boot, project, sql, database):
    project.add_migration("0002_slow", "0001_initial", SLEEP)
    running = boot("migrate")
    running.until_logged("Applying shop.0002_slow")
    sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND state = 'idle in transaction'",
        database,
    )
    assert running.exit_code() == 0
    (warning,) = running.messages(level="WARNING")
    assert "held the migration lock was lost" in warning


@pytest.mark.proves("Emergency mode forgives no refused database")
def test_a_database_that_goes_away_is_not_forgiven(boot, project, sql, database):
    project.add_migration("0002_slow", "0001_initial", "migrations.RunSQL('SELECT pg_sleep(3600)')")
    running = boot(MIGRATIONS_STRICT="0")
    running.until_logged("Applying shop.0002_slow")
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database)
    assert running.exit_code() == 11
    assert "PostgreSQL went away during the migrations: Migration shop.0002_slow failed" in running.error


@pytest.mark.proves("SIGTERM ends the boot at any moment, but never inside a migration")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_wait_for_the_running_migration_and_no_longer(boot, project, sql, database, number, code):
    project.add_migration(
        "0002_slow", "0001_initial", f"{SLEEP}, migrations.RunSQL('CREATE TABLE half (x int)')"
    )
    project.add_migration("0003_later", "0002_slow", "migrations.RunSQL('CREATE TABLE later (x int)')")
    running = boot()
    running.until_logged("Applying shop.0002_slow")
    assert running.stop(number) == code
    assert f"Stopped by {number.name}, once shop.0002_slow was done" in running.error
    assert applied(sql, database) == ["0001_initial", "0002_slow"]
    assert sql("SELECT to_regclass('half') IS NULL, to_regclass('later') IS NULL", database=database) == [
        (False, True)
    ]
    assert boot("migrate").exit_code() == 0, "the lock is free, and the rest is applied"
    assert applied(sql, database) == ["0001_initial", "0002_slow", "0003_later"]


def test_a_signal_while_waiting_for_the_lock_ends_at_once(boot, cluster, database):
    with contextlib.closing(connect(cluster, database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        running = boot()
        running.until_logged("holds the migration lock")
        assert running.stop() == -signal.SIGTERM


@pytest.mark.proves("One free connection is too few to migrate")
@pytest.mark.parametrize("checks_connect", [False, True])
def test_one_free_connection_is_too_few(boot, project, sql, database, checks_connect):
    if checks_connect:
        constraint = "models.UniqueConstraint(fields=['name'], name='once', nulls_distinct=False)"
        model = f"\n    class Meta:\n        constraints = [{constraint}]\n"
        project.write("shop/models.py", (project.directory / "shop/models.py").read_text() + model)
    sql(f'ALTER DATABASE "{database}" CONNECTION LIMIT 1')
    running = boot("migrate")
    assert running.exit_code() == 11
    assert "gives no second connection: " in running.error
    assert "too many connections for database" in running.error
    assert "Migrating takes two" in running.error
    assert sql("SELECT to_regclass('django_migrations')", database=database) == [(None,)]


def record(sql, database: str, app: str, *names: str) -> None:
    """As Django records migrations that it has applied."""
    for name in names:
        sql(
            "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())",
            app,
            name,
            database=database,
        )


@pytest.mark.proves("A database that a later release has migrated is warned of, or refused")
@pytest.mark.parametrize("run", ["1", "0"])
def test_a_database_that_is_ahead(boot, project, sql, database, run):
    project.add_migration("0002_later", "0001_initial", "")
    assert boot("migrate").exit_code() == 0
    (project.directory / "shop/migrations/0002_later.py").unlink()
    record(sql, database, "shop", *(f"{number:04}_later" for number in range(3, 14)))
    running = boot(RUN_MIGRATIONS=run).serving()
    (warning,) = running.messages(level="WARNING", stage="migrate")
    assert "shop.0002_later, shop.0003_later," in warning
    assert "shop.0011_later and 2 more." in warning


@pytest.mark.proves("A database that a later release has migrated is warned of, or refused")
@pytest.mark.parametrize("changes", [{}, {"MIGRATIONS_STRICT": "0"}, {"RUN_MIGRATIONS": "0"}])
def test_a_database_that_is_ahead_is_refused(boot, project, sql, database, changes):
    assert boot("migrate", SCHEMA_AHEAD="refuse").exit_code() == 0
    record(sql, database, "shop", "0002_later")
    project.add_migration("0002_another", "0001_initial", "")
    running = boot(SCHEMA_AHEAD="refuse", **changes)
    assert running.exit_code() == 19
    assert "shop.0002_later." in running.error
    assert applied(sql, database) == ["0001_initial", "0002_later"], "nothing has been applied"


@pytest.mark.proves("A database that a later release has migrated is warned of, or refused")
def test_remains_of_other_apps_and_squashed_migrations_are_not_ahead(boot, project, sql, database):
    assert boot("migrate").exit_code() == 0
    sql("DELETE FROM django_migrations", database=database)
    record(sql, database, "removed", "0001_initial")
    record(sql, database, "shop", "0001_forgotten", "0002_forgotten", "0001_initial", "0002_replaced")
    project.add_migration("0003_squashed", "0001_initial", "", extra="replaces = [('shop', '0002_replaced')]")
    assert boot("migrate", SCHEMA_AHEAD="refuse").exit_code() == 0
    assert applied(sql, database)[-1] == "0003_squashed"


def test_whether_the_database_is_ahead_cannot_be_told(boot, sql, database):
    """As for a role that serves, and another one that migrates."""
    assert boot("migrate").exit_code() == 0
    sql("ALTER TABLE django_migrations OWNER TO postgres", database=database)
    running = boot(RUN_MIGRATIONS="0").serving()
    (warning,) = running.messages(level="WARNING", stage="migrate")
    assert "permission denied for table django_migrations" in warning
    assert boot(RUN_MIGRATIONS="0", SCHEMA_AHEAD="refuse").exit_code() == 19


def test_the_command_migrate_is_not_skipped_and_not_forgiven(boot, project, sql, database):
    assert boot("migrate", RUN_MIGRATIONS="0").exit_code() == 0
    assert applied(sql, database) == ["0001_initial"]
    assert not project.static.exists()
    project.add_migration("0002_fail", "0001_initial", "migrations.RunPython(fail)")
    assert boot("migrate", MIGRATIONS_STRICT="0").exit_code() == 13
