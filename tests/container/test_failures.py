"""Every way to fail: the exit code and the sentence of docs/boot.md, and what the database holds afterwards."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import page
from tests.container.engine import Container
from tests.container.lab import Lab, migration, mounted
from tests.running import until

APPLIED = ["0001_initial", "0002_photo", "0003_kcal_not_negative"]

# Accepts no connection and refuses none: once its queue is full, the kernel drops whatever comes.
BLACK_HOLE = """
import socket, time
listener = socket.create_server(("", 5432), backlog=0)
full = [socket.socket() for _ in range(4)]
for each in full:
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", 5432))
print("swallowing", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def patient(images):
    """Boots with the default deadline of a minute, which pass it while other tests run."""
    lab = Lab(images)
    hole = lab.create("python3", "-c", BLACK_HOLE, options=("--network-alias", "hole")).start()
    hole.until_logged("swallowing")
    wanted = {"hole": "hole", "nobody": "db", "refused": "127.0.0.1"}
    boots = {
        name: lab.backend(POSTGRES_HOST=host, POSTGRES_PASSWORD="never-asked-for").start()
        for name, host in wanted.items()
    }
    yield boots
    lab.close(False, "patient")


@pytest.fixture(scope="module", autouse=True)
def _started_early(request):
    if any("after_a_minute" in item.name for item in request.session.items):
        request.getfixturevalue("patient")


def refused(boot: Container, code: int, *words: str) -> str:
    """Started, it ends with this code and one sentence that has these words; returns the sentence."""
    assert boot.start().exit_code() == code, boot.output
    sentence = boot.error
    for word in words:
        assert word in sentence, sentence
    return sentence


# --- The database -----------------------------------------------------------------------------------------


def test_no_database(lab):
    refused(
        lab.backend(POSTGRES_PASSWORD="x", DATABASE_WAIT_TIMEOUT="3"),
        *(11, "PostgreSQL at db:5432", "was not available within 3 s", "POSTGRES_HOST, POSTGRES_PORT"),
    )


def test_a_host_that_refuses(lab):
    boot = lab.backend(POSTGRES_HOST="127.0.0.1", POSTGRES_PASSWORD="x", DATABASE_WAIT_TIMEOUT="3")
    refused(boot, 11, "Connection refused", "within 3 s")


@pytest.mark.proves(
    "In a container: 60 s and no more for a database that is absent, refuses or swallows everything"
)
def test_a_black_hole(lab):
    hole = lab.create("python3", "-c", BLACK_HOLE, options=("--network-alias", "hole")).start()
    hole.until_logged("swallowing")
    boot = lab.backend(POSTGRES_HOST="hole", POSTGRES_PASSWORD="x", DATABASE_WAIT_TIMEOUT="5")
    refused(boot, 11, "was not available within 5 s", "no answer")
    assert boot.seconds() < 5 + 5


@pytest.mark.proves(
    "In a container: 60 s and no more for a database that is absent, refuses or swallows everything"
)
def test_a_server_that_accepts_and_is_silent(lab, database):
    """A suspended server: the kernel still completes connections for it."""
    silent = 'import socket, time; s = socket.create_server(("", 5432)); print("silent", flush=True); time.sleep(600)'
    server = lab.create("python3", "-c", silent, options=("--network-alias", "silent")).start()
    server.until_logged("silent")
    boot = lab.backend(**{**database.environment, "POSTGRES_HOST": "silent", "DATABASE_WAIT_TIMEOUT": "5"})
    refused(boot, 11, "was not available within 5 s", "no answer")
    assert boot.seconds() < 5 + 5


def test_a_database_that_comes_late(lab, server):
    database = server.database()
    boot = lab.backend(**database.environment).start().until_logged("Waiting for PostgreSQL")
    lab.invite(server.container, "db")
    boot.until_answers()
    assert database.migrations() == APPLIED


def test_a_wrong_password(lab, database):
    wrong = {**database.environment, "POSTGRES_PASSWORD": "wrong-but-still-secret"}
    sentence = refused(lab.backend(**wrong), 12, "password authentication failed", "POSTGRES_PASSWORD")
    assert "wrong-but-still-secret" not in sentence
    assert database.migrations() == []


def test_a_missing_database(lab, database):
    missing = {**database.environment, "POSTGRES_DB": "nowhere"}
    refused(lab.backend(**missing), 12, 'database "nowhere" does not exist', "POSTGRES_DB")


def test_a_missing_user(lab, database):
    """PostgreSQL does not tell strangers whether a user exists."""
    refused(lab.backend(**{**database.environment, "POSTGRES_USER": "nobody"}), 12, "POSTGRES_USER")


def test_a_user_who_may_not_connect(lab, database):
    database.sql(f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC, {database.user}")
    refused(lab.backend(**database.environment), 12, "permission denied for database", "CONNECT")


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
def test_a_user_without_rights(lab, database):
    """Since PostgreSQL 15, only the owner may create tables."""
    database.sql(f"ALTER DATABASE {database.name} OWNER TO postgres")
    refused(lab.backend(**database.environment), 13, "permission denied for schema public", "grant")
    assert database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert database.advisory_locks() == 0


def test_a_read_only_database(lab, database):
    """A replica of PostgreSQL, or one that ran out of disk, refuses writes; the boot says so and ends."""
    database.sql(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    refused(lab.backend(**database.environment), 13, "read-only transaction")
    assert database.migrations() == []


# --- Migrations -------------------------------------------------------------------------------------------

HALF = (
    "migrations.CreateModel('Half', [('id', models.BigAutoField(primary_key=True))]),"
    " migrations.RunPython(fail),"
)


@pytest.fixture
def failing_migration(tmp_path):
    return migration(tmp_path, HALF)


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
def test_a_failing_migration(lab, database, failing_migration):
    boot = lab.backend(options=failing_migration, **database.environment)
    refused(
        boot,
        *(13, "Migration meals.0004_test failed", "ValueError: the fridge is empty"),
        "meals/migrations/0004_test.py:4",
    )
    assert database.migrations() == APPLIED
    assert database.sql("SELECT to_regclass('meals_half')") == [(None,)]
    assert database.advisory_locks() == 0


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
def test_a_failing_migration_in_an_emergency(lab, database, failing_migration):
    boot = lab.backend(options=failing_migration, MIGRATIONS_STRICT="0", **database.environment)
    boot.start().until_answers()
    (warning,) = boot.messages(level="WARNING", stage="migrate")
    assert "DANGEROUS" in warning
    assert "the fridge is empty" in warning
    assert boot.get("/api/meals/", Host="api.example.com", X_Forwarded_Proto="https").json["count"] == 0
    assert boot.get("/static/admin/css/base.css").status == 200
    assert database.migrations() == APPLIED
    assert database.sql("SELECT to_regclass('meals_half')") == [(None,)]
    assert database.advisory_locks() == 0


def test_a_failing_migration_without_a_transaction(lab, database, tmp_path):
    """Such a migration leaves behind what it did, as Django documents; it is not recorded, and tried again."""
    options = migration(tmp_path, HALF, atomic=False)
    refused(lab.backend(options=options, **database.environment), 13, "the fridge is empty")
    assert database.migrations() == APPLIED
    assert database.sql("SELECT to_regclass('meals_half')") == [("meals_half",)]
    refused(lab.backend(options=options, **database.environment), 13, 'relation "meals_half" already exists')


def test_the_next_start_mends_a_failed_migration(lab, database, failing_migration):
    refused(lab.backend(options=failing_migration, **database.environment), 13)
    assert lab.backend("migrate", **database.environment).start().exit_code() == 0
    assert database.migrations() == APPLIED


def test_migrations_that_do_not_fit_together(lab, database, tmp_path):
    fork = migration(tmp_path, "", number=3, after="0002_photo")
    refused(lab.backend(options=fork, **database.environment), 13, "Conflicting migrations", "0003_test")
    assert database.migrations() == []


def test_a_migration_that_cannot_be_imported(lab, database, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("def broken(:\n")
    options = mounted(file, "/app/meals/migrations/0004_broken.py")
    refused(lab.backend(options=options, **database.environment), 13, "0004_broken.py:1")


def test_migrations_can_be_skipped(lab, database):
    boot = lab.backend(RUN_MIGRATIONS="0", **database.environment).start().until_answers()
    assert any("RUN_MIGRATIONS=0" in message for message in boot.messages(stage="migrate"))
    assert database.migrations() == []


# --- Static files -----------------------------------------------------------------------------------------

NOT_OURS = ("--tmpfs", "/app/staticfiles:mode=755,uid=0")
TOO_SMALL = ("--tmpfs", "/app/staticfiles:mode=755,uid=1000,size=64k")


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
@pytest.mark.parametrize(
    ("options", "words", "migrations"),
    [
        # What shows without collecting is found before the database is changed.
        (NOT_OURS, ("Permission denied", "belongs to 0:0", "1000:1000"), []),
        (TOO_SMALL, ("No space left",), APPLIED),
    ],
    ids=["not-writable", "full"],
)
def test_static_files_cannot_be_written(lab, database, options, words, migrations):
    boot = lab.backend(options=options, **database.environment)
    refused(boot, 15, "/app/staticfiles", "RUN_COLLECTSTATIC=0", *words)
    assert database.migrations() == migrations


@pytest.mark.parametrize("options", [NOT_OURS, TOO_SMALL], ids=["not-writable", "full"])
def test_static_files_cannot_be_written_in_an_emergency(lab, database, options):
    boot = lab.backend(options=options, MIGRATIONS_STRICT="0", **database.environment).start().until_answers()
    (warning,) = boot.messages(level="WARNING", stage="collect")
    assert "DANGEROUS" in warning
    assert boot.get("/admin/login/", Host="api.example.com", X_Forwarded_Proto="https").status == 200


def test_collectstatic_itself_fails(lab, database, tmp_path):
    """A stylesheet that names a file which does not exist: the manifest cannot be made."""
    file = tmp_path / "site.css"
    file.write_text("body { background: url('nothing.png') }\n")
    options = mounted(file, "/app/core/static/core/site.css")
    refused(
        lab.backend(options=options, fresh=True, **database.environment),
        *(15, "nothing.png"),
    )


@pytest.mark.parametrize("name", ["RUN_COLLECTSTATIC", "DJANGO_COLLECTSTATIC"])
def test_static_files_can_be_skipped(lab, database, name):
    boot = lab.backend(fresh=True, **{name: "0"}, **database.environment).start().until_answers()
    assert boot.execute("ls", "/app/staticfiles").stdout == ""


# --- Configuration ----------------------------------------------------------------------------------------

REQUIRED = page.required()
WRONG = {
    "weak-key": ({"SECRET_KEY": "django-insecure-" + "a1b2" * 20}, "SECRET_KEY is weak"),
    "any-host": ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
    "host-as-url": ({"ALLOWED_HOSTS": "https://api.example.com"}, "without a scheme"),
    "only-commas": ({"ALLOWED_HOSTS": " , ,"}, "ALLOWED_HOSTS is empty"),
    "origin-without-scheme": ({"CSRF_TRUSTED_ORIGINS": "app.example.com"}, "begin it with https://"),
    "origin-with-path": ({"CORS_ALLOWED_ORIGINS": "https://app.example.com/"}, "without a path"),
    "debug": ({"DEBUG": "1"}, "DEBUG is on"),
    "debug-word": ({"DEBUG": "True"}, "DEBUG is on"),
    "debug-nonsense": ({"DEBUG": "maybe"}, "DEBUG is 'maybe'"),
    "sqlite-url": ({"DATABASE_URL": "sqlite:///db.sqlite3"}, "PostgreSQL only"),
    "port": ({"POSTGRES_PORT": "54321x"}, "POSTGRES_PORT is '54321x'"),
    "flag": ({"MIGRATIONS_STRICT": "2"}, "MIGRATIONS_STRICT is '2'"),
    "contradiction": ({"RUN_COLLECTSTATIC": "1", "DJANGO_COLLECTSTATIC": "0"}, "contradict each other"),
    "workers": ({"WEB_CONCURRENCY": "-1"}, "WEB_CONCURRENCY is '-1'"),
    "bind": ({"GUNICORN_BIND": "8000"}, "GUNICORN_BIND is '8000'"),
    "settings": (
        {"DJANGO_SETTINGS_MODULE": "config.settings.prodution"},
        "did you mean config.settings.production?",
    ),
    "both": ({"SECRET_KEY_FILE": "/run/secrets/key"}, "both set"),
    "no-file": ({"SECRET_KEY": None, "SECRET_KEY_FILE": "/run/secrets/key"}, "No such file"),
    "superuser": ({"DJANGO_SUPERUSER_USERNAME": "admin"}, "without DJANGO_SUPERUSER_PASSWORD"),
}


def wrong(lab: Lab, **changes: str | None) -> Container:
    """A boot that must not get as far as looking for its database, for there is none."""
    return lab.backend(**{"POSTGRES_PASSWORD": "never-shown-anywhere", **changes})


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
@pytest.mark.parametrize("value", [None, "", "   "], ids=["missing", "empty", "blank"])
def test_each_required_variable(lab, value):
    boots = {name: wrong(lab, **{name: value}) for name in REQUIRED}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Container.start, boots.values()))
    for name, boot in boots.items():
        assert boot.exit_code() == 10, boot.output
        assert f"{name} is {'not set' if value is None else 'empty'}" in boot.error


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
def test_each_wrong_value(lab):
    boots = {case: wrong(lab, **changes) for case, (changes, _) in WRONG.items()}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Container.start, boots.values()))
    for case, boot in boots.items():
        assert boot.exit_code() == 10, (case, boot.output)
        assert WRONG[case][1] in boot.error, (case, boot.error)
        assert "never-shown-anywhere" not in boot.output
        assert not boot.messages(stage="wait")


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
def test_everything_wrong_at_once(lab):
    """One message has every problem, a line each."""
    none = dict.fromkeys(REQUIRED)
    boot = wrong(lab, **{**none, "DEBUG": "1", "MIGRATIONS_STRICT": "perhaps", "POSTGRES_PORT": "0"})
    sentence = refused(boot, 10, *REQUIRED, "DEBUG is on", "MIGRATIONS_STRICT is 'perhaps'", "POSTGRES_PORT")
    problems = sentence.splitlines()[1:]
    assert len(problems) == len(REQUIRED) + 3, sentence
    assert all(line.startswith("- ") for line in problems)


def test_a_misspelt_variable_is_pointed_out(lab):
    boot = wrong(lab, POSTGRES_PASSWORD=None, POSTGRES_PASSWROD="mistyped-not-shown")
    refused(boot, 10, "POSTGRES_PASSWROD is set; did you mean POSTGRES_PASSWORD?")
    assert "mistyped-not-shown" not in boot.output


def test_sqlite_in_settings_made_from_production(lab, tmp_path):
    file = tmp_path / "cheap.py"
    file.write_text(
        "from config.settings.production import *\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/tmp/db.sqlite3'}}\n"
    )
    boot = lab.backend(
        options=mounted(file, "/app/config/settings/cheap.py"),
        POSTGRES_PASSWORD="x",
        DJANGO_SETTINGS_MODULE="config.settings.cheap",
    )
    refused(boot, 10, "django.db.backends.sqlite3", "production runs on PostgreSQL only")


def test_several_problems_are_told_before_anything_waits(lab):
    """No restart loop of a minute for a misspelt variable: the database is not even looked for."""
    boot = wrong(lab, POSTGRES_HOST="nowhere.invalid", ALLOWED_HOSTS="")
    refused(boot, 10)
    assert {record.get("stage") for record in boot.records} == {"configure"}


# --- The server -------------------------------------------------------------------------------------------


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
def test_a_taken_port(lab, database):
    first = lab.backend(**database.environment).start().until_answers()
    second = lab.backend(options=("--network", f"container:{first.id}"), **database.environment)
    refused(second, 17, "0.0.0.0:8000", "Address already in use", "GUNICORN_BIND")
    assert first.get("/api/health/").status == 200


def test_an_address_of_another_machine(lab, database):
    boot = lab.backend(GUNICORN_BIND="192.0.2.1:8000", **database.environment)
    refused(boot, 17, "192.0.2.1:8000", "Cannot assign requested address")


def test_a_missing_application(lab, database):
    boot = lab.backend(WSGI_APPLICATION="config.nothing:application", **database.environment)
    refused(boot, 18, "config.nothing")


@pytest.mark.proves("In a container: each exit code with its sentence, and nothing half-done in the database")
@pytest.mark.parametrize("target", ["/app/config/wsgi.py", "/app/config/urls.py"])
def test_an_application_that_fails_to_import(lab, database, tmp_path, target):
    file = tmp_path / "broken.py"
    file.write_text("import nothing_of_this_name\n")
    boot = lab.backend(options=mounted(file, target), **database.environment)
    refused(boot, 18, "nothing_of_this_name", f"{target.removeprefix('/app/')}:1")


def test_an_app_that_fails_to_import(lab, database, tmp_path):
    file = tmp_path / "models.py"
    file.write_text("raise RuntimeError('the recipe is lost')\n")
    boot = lab.backend(options=mounted(file, "/app/meals/models.py"), **database.environment)
    refused(boot, 10, "the recipe is lost", "meals/models.py:1")


def test_a_bad_gunicorn_configuration(lab, database, tmp_path):
    file = tmp_path / "gunicorn_config.py"
    file.write_text("workers = 'many'\n")
    options = mounted(file, "/app/gunicorn_config.py")
    boot = lab.backend(options=options, WEB_CONCURRENCY=None, **database.environment)
    refused(boot, 17, "gunicorn_config.py", "workers")


@pytest.mark.proves("A server without workers ends with a sentence; one that has started goes on")
def test_no_place_for_workers_files(lab, database):
    boot = lab.backend(options=("--ipc=none",), **database.environment)
    refused(boot, 17, "No worker can be started", "/dev/shm")


# The init and the entrypoint, and no other process, no threads that compress static files, or only two workers.
@pytest.mark.proves("A server without workers ends with a sentence; one that has started goes on")
@pytest.mark.parametrize(("limit", "fresh"), [(2, False), (4, True), (4, False)])
def test_too_few_processes(lab, database, limit, fresh):
    options = ("--pids-limit", str(limit))
    boot = lab.backend(options=options, fresh=fresh, **{**database.environment, "WEB_CONCURRENCY": "5"})
    refused(boot, 17, "No further process can be started", "--pids-limit")


@pytest.mark.proves("The health check asks the address that is served")
def test_healthy_at_an_address_of_the_projects_own(lab, database, tmp_path):
    file = tmp_path / "gunicorn_config.py"
    file.write_text("bind = 'unix:/dev/shm/gunicorn.sock'\n")
    boot = lab.backend(options=mounted(file, "/app/gunicorn_config.py"), **database.environment)
    boot.start().until_healthy()


@pytest.mark.proves("The health check is right in a container that does not serve")
def test_a_container_that_does_not_serve_is_healthy_while_it_lives(lab, database):
    """One that waits for migrations, one that is a program, and one whose own command says that it is not well."""
    options = ("--health-interval", "1s", "--health-retries", "1", "--health-start-period", "1ms")
    wait = lab.backend("wait", options=options, **database.environment)
    program = lab.backend("sleep", "600", options=options, **database.environment)
    unwell = lab.backend("sleep", "600", options=options, HEALTHCHECK_COMMAND="false", **database.environment)
    for container, status in ((wait, "healthy"), (program, "healthy"), (unwell, "unhealthy")):
        container.start()
        until(lambda one=container, wanted=status: one.state["Health"]["Status"] == wanted, status, pause=0.5)


@pytest.mark.parametrize(("command", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_executed(lab, command, code):
    refused(lab.backend(command), code, command)


def test_unhealthy(lab, database):
    boot = lab.backend("healthcheck", **database.environment)
    refused(boot, 20, "no answer from 0.0.0.0:8000/api/health/")


# --- What has taken its time meanwhile ----------------------------------------------------------------------


@pytest.mark.proves(
    "In a container: 60 s and no more for a database that is absent, refuses or swallows everything"
)
@pytest.mark.parametrize("name", ["hole", "nobody", "refused"])
def test_after_a_minute_it_gives_up(patient, name):
    """The default: 60 s in all, not 30 times however long one attempt takes."""
    boot = patient[name]
    assert boot.exit_code() == 11
    assert "was not available within 60 s" in boot.error
    assert 50 < boot.seconds() < 60 + 15


def test_a_memory_limit_that_cannot_hold_the_workers(lab, database):
    options = ("--memory", "80m")
    crowded = lab.backend(options=options, WEB_CONCURRENCY="9", **database.environment).start()
    crowded.until_logged("Serving config.wsgi:application")
    (warning,) = crowded.messages(level="WARNING")
    assert warning.startswith("The memory limit of 84 MB cannot hold the server")
    advised = re.search(r"set WEB_CONCURRENCY to (\d+) at most", warning)
    assert advised
    crowded.stop()
    fitting = (
        lab.backend(options=options, WEB_CONCURRENCY=advised[1], **database.environment)
        .start()
        .until_answers()
    )
    assert fitting.messages(level="WARNING") == []
    for _ in range(50):
        assert fitting.get("/admin/login/", Host="api.example.com", X_Forwarded_Proto="https").status == 200
    assert fitting.running
    assert len(fitting.workers()) == int(advised[1])
