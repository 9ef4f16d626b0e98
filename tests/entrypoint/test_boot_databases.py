"""Several databases, and projects whose `migrate` is their own."""

from __future__ import annotations

import contextlib
import signal

import pytest

from tests.entrypoint.booting import connect
from tests.running import free_port

DATABASES = """
DATABASES["analytics"] = {**DATABASES["default"], "NAME": os.environ["ANALYTICS_DB"]}
DATABASES["analytics"]["PORT"] = os.environ.get("ANALYTICS_PORT") or DATABASES["default"]["PORT"]
DATABASE_ROUTERS = ["config.routers.Router"]
INSTALLED_APPS += ["stats"]
"""
ROUTER = """
class Router:
    def allow_migrate(self, db, app_label, **hints):
        return (app_label == "stats") == (db == "analytics")
"""
MODEL = """
from django.db import models

class Visit(models.Model):
    page = models.CharField(max_length=50)
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Visit", [
            ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ("page", models.CharField(max_length=50)),
        ]),
    ]
"""
TABLES = "SELECT relname FROM pg_class WHERE relname IN ('shop_item', 'stats_visit') AND relkind = 'r'"
LOCK = "SELECT pg_advisory_lock(%s)"


@pytest.fixture
def analytics(project, environment, sql):
    """A second database, whose tables are those of the app `stats`."""
    name = environment["ANALYTICS_DB"] = environment["POSTGRES_DB"] + "_2"
    environment["MIGRATE_DATABASES"] = "default,analytics"
    project.add_setting(DATABASES)
    project.write("config/routers.py", ROUTER)
    project.write("stats/__init__.py", "")
    project.write("stats/models.py", MODEL)
    project.write("stats/migrations/__init__.py", "")
    project.write("stats/migrations/0001_initial.py", MIGRATION)
    sql(f'CREATE DATABASE "{name}" OWNER app STRATEGY file_copy')
    yield name
    sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.proves("Each of several databases is waited for, locked and migrated, as routers say")
def test_each_is_migrated_as_routers_say(boot, sql, database, analytics):
    running = boot().serving()
    assert sql(TABLES, database=database) == [("shop_item",)]
    assert sql(TABLES, database=analytics) == [("stats_visit",)]
    assert "Applying stats.0001_initial (analytics)." in running.messages()
    assert running.stop() == 0
    only = boot("wait", MIGRATE_DATABASES="analytics")
    assert only.exit_code() == 0
    assert not any(f"database {database} " in each for each in only.messages())


@pytest.mark.proves("Each of several databases is waited for, locked and migrated, as routers say")
def test_one_that_cannot_be_reached(boot, sql, database, analytics):
    running = boot(ANALYTICS_PORT=str(free_port()), DATABASE_WAIT_TIMEOUT="1")
    assert running.exit_code() == 11
    assert f"database {analytics} as user app was not available within 1 s" in running.error
    assert "ANALYTICS" not in running.error
    assert sql(TABLES, database=database) == []


@pytest.mark.proves("Each of several databases is waited for, locked and migrated, as routers say")
def test_each_has_a_lock_of_its_own(boot, cluster, sql, database, analytics):
    with contextlib.closing(connect(cluster, analytics)) as holder, holder.cursor() as cursor:
        cursor.execute(LOCK, [int.from_bytes(b"migrate")])
        running = boot("migrate", MIGRATION_LOCK_TIMEOUT="1")
        assert running.exit_code() == 14
    assert sql(TABLES, database=database) == [("shop_item",)]
    assert sql(TABLES, database=analytics) == []


def test_what_fails_in_one_is_named(boot, project, sql, database, analytics):
    project.write(
        "stats/migrations/0002_fail.py",
        "from django.db import migrations\n\n"
        "def fail(apps, schema_editor):\n"
        "    if schema_editor.connection.alias == 'analytics': raise ValueError('no shelf')\n\n"
        "class Migration(migrations.Migration):\n    dependencies = [('stats', '0001_initial')]\n"
        "    operations = [migrations.RunPython(fail)]\n",
    )
    running = boot()
    assert running.exit_code() == 13
    assert running.error.startswith("Migration stats.0002_fail (analytics) failed: ValueError: no shelf")
    forgiven = boot(MIGRATIONS_STRICT="0", MIGRATE_DATABASES="analytics,default").serving()
    assert sql("SELECT count(*) FROM shop_item", database=database) == [(0,)]
    assert forgiven.stop() == 0


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("default,nowhere", "MIGRATE_DATABASES names 'nowhere', which is none of the settings' DATABASES"),
        ("default,,analytics", "MIGRATE_DATABASES is 'default,,analytics': use different names"),
        ("default, default", "MIGRATE_DATABASES is 'default, default': use different names"),
    ],
)
def test_names_that_are_none(boot, analytics, value, sentence):
    running = boot(MIGRATE_DATABASES=value)
    assert running.exit_code() == 10
    assert sentence in running.error


# --- A `migrate` of the project's own: here, as in projects with tenants, it migrates one schema after the other -------

OWN = """
from django.core.management.commands.migrate import Command as Migrate
from django.db import connection

class Command(Migrate):
    def handle(self, *args, **options):
        for schema in ("one", "two"):
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                cursor.execute(f"SET search_path = {schema}")
            Migrate(stdout=self.stdout, stderr=self.stderr).execute(*args, **options)
"""
HAS_ITEMS = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'shop_item'"


@pytest.fixture
def own(project):
    """A project with such a command."""
    project.write("shop/management/__init__.py", "")
    project.write("shop/management/commands/__init__.py", "")
    project.write("shop/management/commands/migrate.py", OWN)


@pytest.mark.proves("A project's own `migrate` keeps progress, signals and exit codes")
def test_progress_of_a_command_of_the_projects_own(boot, own, sql, database):
    running = boot().serving()
    assert sorted(sql(HAS_ITEMS, database=database)) == [("one",), ("two",)]
    applied = [each for each in running.messages(logger="entrypoint") if each.startswith("Applying")]
    assert applied == [
        "Applying shop.0001_initial (schema one).",
        "Applying shop.0001_initial (schema two).",
    ]
    assert not any("Applying" in each for each in running.messages(logger="stdout"))


@pytest.mark.proves("A project's own `migrate` keeps progress, signals and exit codes")
def test_signals_wait_for_the_migration_of_a_command_of_the_projects_own(boot, project, own, sql, database):
    project.add_migration("0002_slow", "0001_initial", "migrations.RunPython(lambda *_: time.sleep(2))")
    running = boot("migrate")
    running.until_logged("Applying shop.0002_slow (schema one).")
    assert running.stop(signal.SIGTERM) == 143
    assert "once shop.0002_slow (schema one) was done" in running.error
    assert sql(HAS_ITEMS, database=database) == [("one",)]
    assert sql("SELECT count(*) FROM one.django_migrations WHERE app = 'shop'", database=database) == [(2,)]


@pytest.mark.proves("A project's own `migrate` keeps progress, signals and exit codes")
def test_a_failure_in_a_command_of_the_projects_own(boot, project, own, sql, database):
    project.add_migration("0002_fail", "0001_initial", "migrations.RunPython(fail)")
    running = boot("migrate")
    assert running.exit_code() == 13
    assert running.error.startswith(
        "Migration shop.0002_fail (schema one) failed: ValueError: the shelf is empty"
    )
