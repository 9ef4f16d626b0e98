"""Migrations that wait for a lock: the site goes on, whoever is in the way is named, and nothing is left half done."""

from __future__ import annotations

import contextlib
import signal

import pytest

from tests.entrypoint.booting import connect
from tests.entrypoint.test_boot_migrations import applied
from tests.running import until

ALTER = "migrations.RunSQL('ALTER TABLE shop_item ADD COLUMN price int')"
CONCURRENTLY = "migrations.RunSQL('CREATE INDEX CONCURRENTLY item_name ON shop_item (name)')"
WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'app' AND wait_event_type = 'Lock'
"""


@pytest.fixture
def forgotten(boot, cluster, database):
    """A session idle in a transaction that has read the table of the first release; it ends at its `rollback`."""
    assert boot("migrate").exit_code() == 0
    with contextlib.closing(connect(cluster, database)) as connection, connection.cursor() as cursor:
        cursor.execute("SET application_name = 'report'")
        connection.commit()
        connection.set_session(isolation_level="REPEATABLE READ")
        cursor.execute("SELECT 'private' FROM shop_item")
        yield connection


def columns(sql, database: str) -> set[str]:
    rows = sql("SELECT attname FROM pg_attribute WHERE attrelid = 'shop_item'::regclass", database=database)
    return {name for (name,) in rows}


@pytest.mark.proves("A migration that waits for a lock does not stop the site")
def test_others_pass_while_a_migration_waits(boot, project, cluster, sql, database, forgotten):
    project.add_migration(
        "0002_price", "0001_initial", f"migrations.RunSQL('CREATE TABLE once (x int)'), {ALTER}"
    )
    running = boot("migrate", MIGRATION_DDL_LOCK_TIMEOUT="1")
    with contextlib.closing(connect(cluster, database)) as replica, replica.cursor() as cursor:
        replica.autocommit = True
        cursor.execute("SET statement_timeout = '2s'")  # the limit, and a second

        def tried_again() -> bool:
            cursor.execute("SELECT count(*) FROM shop_item")
            return len([each for each in running.messages() if "is tried again" in each]) >= 3

        running.until(tried_again)
    (told, *_) = [each for each in running.messages(level="INFO") if "is tried again" in each]
    assert told.startswith("shop.0002_price needs a lock, has let the others pass, and is tried again in 1 s")
    assert f"In the way: pid {forgotten.info.backend_pid}, user postgres, application_name 'report'" in told
    assert "private" not in running.output
    assert "price" not in columns(sql, database)
    forgotten.rollback()
    assert running.exit_code() == 0
    assert applied(sql, database) == ["0001_initial", "0002_price"]
    assert "price" in columns(sql, database)


@pytest.mark.proves("A migration that waits for a lock does not stop the site")
def test_in_vain(boot, project, sql, database, forgotten):
    project.add_migration("0002_price", "0001_initial", ALTER)
    sql("GRANT pg_read_all_stats TO app")
    running = boot(MIGRATION_LOCK_TIMEOUT="1", MIGRATION_DDL_LOCK_TIMEOUT="1")
    assert running.exit_code() == 14
    sql("REVOKE pg_read_all_stats FROM app")
    assert "shop.0002_price needs a lock and did not get it within 1 s. In the way: pid " in running.error
    assert "application_name 'report', idle in transaction since 20" in running.error
    assert applied(sql, database) == ["0001_initial"]
    assert sql(WAITING, database=database) == []


@pytest.mark.proves("A replica that is stopped or killed leaves no statement that waits")
@pytest.mark.parametrize("extra", ["", "atomic = False"], ids=["atomic", "not atomic"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_stopped_while_it_waits(boot, project, sql, database, forgotten, number, code, extra):
    project.add_migration("0002_price", "0001_initial", ALTER, extra=extra)
    running = boot("migrate", MIGRATION_DDL_LOCK_TIMEOUT="3600")
    running.until(lambda: sql(WAITING, database=database))
    assert running.stop(number) == code
    if number != signal.SIGKILL:
        assert f"Stopped by {number.name} while shop.0002_price waited for a lock" in running.error
    until(lambda: not sql(WAITING, database=database), "the end of its statement")
    assert applied(sql, database) == ["0001_initial"]
    forgotten.rollback()
    assert "price" not in columns(sql, database)
    assert boot("migrate").exit_code() == 0, "and nothing is in the way of the next start"
    assert "price" in columns(sql, database)


@pytest.mark.proves("A replica that is stopped or killed leaves no statement that waits")
def test_killed_while_it_works(boot, project, sql, database):
    project.add_migration("0002_slow", "0001_initial", f"{ALTER}, migrations.RunSQL('SELECT pg_sleep(3600)')")
    running = boot("migrate")
    sleeping = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    running.until(lambda: sql(sleeping, database=database))
    assert running.stop(signal.SIGKILL) == -9
    until(lambda: not sql(sleeping, database=database), "the end of its statement")
    assert "price" not in columns(sql, database)


@pytest.mark.proves("A migration that is not atomic is not cut off, and named if it was")
def test_statements_of_one_that_is_not_atomic_are_tried_again(boot, project, sql, database, forgotten):
    project.add_migration(
        "0002_price",
        "0001_initial",
        f"migrations.RunSQL('CREATE TABLE once (x int)'), {ALTER}",
        extra="atomic = False",
    )
    running = boot("migrate", MIGRATION_DDL_LOCK_TIMEOUT="1")
    running.until_logged("is tried again in 2 s")
    assert sql("SELECT to_regclass('once') IS NULL", database=database) == [(False,)]
    forgotten.rollback()
    assert running.exit_code() == 0
    assert applied(sql, database) == ["0001_initial", "0002_price"]
    assert "price" in columns(sql, database)


@pytest.mark.proves("A migration that is not atomic is not cut off, and named if it was")
def test_what_stops_nobody_waits_without_limit(boot, project, sql, database, forgotten):
    project.add_migration("0002_index", "0001_initial", CONCURRENTLY, extra="atomic = False")
    running = boot("migrate", MIGRATION_DDL_LOCK_TIMEOUT="1")
    longer = f"{WAITING} AND query_start < clock_timestamp() - interval '2 seconds'"
    running.until(lambda: sql(longer, database=database))
    running.until_logged(f"It waits for a lock. In the way: pid {forgotten.info.backend_pid}, ")
    forgotten.rollback()
    assert running.exit_code() == 0
    assert sql(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_name'::regclass", database=database
    ) == [(True,)]


@pytest.mark.proves("A migration that is not atomic is not cut off, and named if it was")
def test_one_that_was_killed_is_named(boot, project, sql, database, forgotten):
    project.add_migration("0002_index", "0001_initial", CONCURRENTLY, extra="atomic = False")
    running = boot("migrate")
    running.until(lambda: sql(WAITING, database=database))
    assert running.stop(signal.SIGKILL) == -9
    until(lambda: not sql(WAITING, database=database), "the end of its statement")
    forgotten.rollback()
    again = boot("migrate")
    assert again.exit_code() == 13
    (warning,) = again.messages(level="WARNING")
    assert warning.startswith("Migration shop.0002_index, which is not atomic, has begun and did not end")
    assert "Invalid indexes, which are to be dropped first: item_name of shop_item." in warning
    assert "already exists" in again.error
    sql("DROP INDEX item_name", database=database)
    mended = boot("migrate")
    assert mended.exit_code() == 0
    assert applied(sql, database) == ["0001_initial", "0002_index"]
    after = boot("migrate")
    assert after.exit_code() == 0
    assert after.messages(level="WARNING") == []
    assert sql("SELECT DISTINCT app FROM django_migrations", database=database) == [("shop",)]


@pytest.mark.parametrize("extra", ["", "atomic = False"], ids=["atomic", "not atomic"])
def test_settings_of_the_session_end_with_the_migration(boot, project, sql, database, extra):
    """A pooler would give them to others; and no statement may come before SET TRANSACTION."""
    first = "migrations.RunSQL('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'), "
    tell = "migrations.RunSQL(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout')\")"
    project.add_migration("0002_see", "0001_initial", ("" if extra else first) + tell, extra=extra)
    project.add_migration(
        "0003_after",
        "0002_see",
        "migrations.RunSQL(\"INSERT INTO seen SELECT current_setting('lock_timeout')\")",
        extra="atomic = False",
    )
    assert boot("migrate").exit_code() == 0
    assert sql("SELECT * FROM seen", database=database) == [("3s",), ("0",)]
