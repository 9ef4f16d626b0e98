"""The sequence itself: what a boot does, in which order, and what it leaves out when told to."""

from __future__ import annotations

import json
import os
import signal
import stat

import pytest

from entrypoint.static.lock import LOCK
from tests.entrypoint.booting import PASSWORD, SECRET_KEY, STAGES, children


def applied(sql, database: str) -> list[str]:
    return [
        name for (name,) in sql("SELECT name FROM django_migrations WHERE app = 'shop'", database=database)
    ]


def stages(records: list[dict]) -> list[str]:
    """The stages in the order of their first records."""
    return list(dict.fromkeys(record["stage"] for record in records if "stage" in record))


@pytest.mark.proves("The stages run in this order; the same process serves")
@pytest.mark.proves("Migrations are applied at start")
def test_boots_in_the_documented_order_and_serves(boot, project, sql, database):
    running = boot().serving()
    assert stages(running.records) == STAGES
    assert applied(sql, database) == ["0001_initial"]
    manifest = json.loads((project.static / "staticfiles.json").read_text())
    assert (project.static / manifest["paths"]["shop/site.css"]).is_file()
    about = json.loads(running.get("/about/").body)
    assert about["url"] == "/static/" + manifest["paths"]["shop/site.css"]
    assert about["parent"] == running.process.pid, "the process that booted is gunicorn's master"
    assert running.messages(level="WARNING") == running.messages(level="ERROR") == []


@pytest.mark.proves("A directory that does not exist is made, and persists")
def test_a_second_boot_finds_nothing_to_do(boot, project):
    boot().serving().stop()
    before = {path: path.stat().st_mtime_ns for path in project.static.rglob("*") if path.is_file()}
    second = boot().serving()
    assert "No migrations to apply." in second.messages(stage="migrate")
    assert f"0 static files copied to '{project.static}', 3 unmodified." in second.messages(stage="collect")
    assert {path: path.stat().st_mtime_ns for path in project.static.rglob("*") if path.is_file()} == before


@pytest.mark.proves("Static files are collected at start, and the log says how many were copied")
@pytest.mark.proves("A directory that does not exist is made, and persists")
def test_static_files_copied_sentence_and_modes(boot, project):
    def umask() -> None:
        os.umask(0o077)

    running = boot(options={"preexec_fn": umask}).serving()
    assert f"3 static files copied to '{project.static}'." in running.messages(stage="collect")
    paths = [project.static, *(path for path in project.static.rglob("*") if path.name != LOCK)]
    assert len(paths) == 9  # two directories, three files under two names each, the manifest
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


@pytest.mark.proves("`RUN_MIGRATIONS=0` skips with a log message only")
def test_run_migrations_0_only_logs(boot, sql, database):
    running = boot(RUN_MIGRATIONS="0").serving()
    assert running.messages(stage="migrate") == ["Migrations are skipped (RUN_MIGRATIONS=0)."]
    assert sql("SELECT to_regclass('django_migrations')", database=database) == [(None,)]


@pytest.mark.proves("`RUN_COLLECTSTATIC=0` and `DJANGO_COLLECTSTATIC=0` skip it with a log message only")
@pytest.mark.parametrize("name", ["RUN_COLLECTSTATIC", "DJANGO_COLLECTSTATIC"])
def test_collectstatic_0_only_logs(boot, project, name):
    running = boot(**{name: "0"}).serving()
    assert running.messages(stage="collect") == ["Static files are not collected (RUN_COLLECTSTATIC=0)."]
    assert not project.static.exists()


@pytest.mark.proves("The settings module defaults to config.settings.production, and is exported first")
@pytest.mark.proves("Configuration values are logged, secrets are not")
def test_configuration_is_logged_without_secrets(boot, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    running = boot(POSTGRES_PASSWORD=None, POSTGRES_PASSWORD_FILE=str(secret), RUN_MIGRATIONS="No").serving()
    (record,) = [each for each in running.records if "configuration" in each]
    assert record["stage"] == "configure"
    values = record["configuration"]
    assert values["DJANGO_SETTINGS_MODULE"] == "config.settings.production"
    assert values["RUN_MIGRATIONS"] == "0"
    assert values["MIGRATIONS_STRICT"] == values["RUN_COLLECTSTATIC"] == "1"
    assert values["POSTGRES_PASSWORD"] == "from file"
    assert values["SECRET_KEY"] == "set"
    for name, value in values.items():
        assert f"{name}={value}" in record["message"]
    assert PASSWORD not in running.output
    assert SECRET_KEY not in running.output


def test_workers_inherit_no_database_connection(boot, project, sql, database):
    project.write(
        "config/wsgi.py",
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
        "from shop.models import Item\nassert not Item.objects.exists(), 'asked while it is imported'\n",
    )
    running = boot()
    running.until_logged("Booting worker")  # a request would make the worker close what it inherited
    assert sql("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", database) == [(0,)]
    for pid in [running.process.pid, *children(running.process.pid)]:
        assert len(os.listdir(f"/proc/{pid}/task")) == 1, "no thread but the main one"


@pytest.mark.proves("Workers are cores * 2 + 1, the request timeout is 140 s")
def test_workers_and_timeouts_by_default(boot, project):
    project.write(
        "gunicorn_config.py",
        "import json\n"
        "def when_ready(server):\n"
        "    cfg = server.cfg\n"
        "    values = {name: getattr(cfg, name) for name in ('workers', 'timeout', 'graceful_timeout',"
        " 'preload_app', 'bind', 'worker_tmp_dir', 'control_socket_disable') if name in cfg.settings}\n"
        "    open('ready.json', 'w').write(json.dumps(values))\n",
    )
    one_core = {min(os.sched_getaffinity(0))}
    running = boot(WEB_CONCURRENCY=None, options={"preexec_fn": lambda: os.sched_setaffinity(0, one_core)})
    running.serving()
    ready = json.loads((project.directory / "ready.json").read_text())
    assert ready.pop("control_socket_disable", True), "the lowest gunicorn has no such socket"
    assert ready == {
        "workers": 3,
        "timeout": 140,
        "graceful_timeout": 8,
        "preload_app": True,
        "bind": [running.address],
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,
    }
    running.until(lambda: len(children(running.process.pid)) == 3)
    environ = json.loads(running.get("/about/").body)["environ"]
    assert environ == {"WEB_CONCURRENCY": "3"}


def test_what_the_operator_sets_wins_over_the_projects_file(boot, project):
    project.write(
        "gunicorn_config.py",
        "workers = 2\nbind = '127.0.0.1:1'\ngraceful_timeout = 3\n"
        "def when_ready(server):\n"
        "    open('ready', 'w').write(f'{server.cfg.workers} {server.cfg.graceful_timeout}')\n",
    )
    boot().serving()  # on GUNICORN_BIND
    assert (project.directory / "ready").read_text() == "1 3"


@pytest.mark.proves("The settings module defaults to config.settings.production, and is exported first")
def test_another_settings_module_and_application(boot, project, sql, database):
    project.write("other/__init__.py", "")
    project.write(
        "other/settings.py", "from config.settings.production import *\nSTATIC_URL = '/elsewhere/'\n"
    )
    project.write("other/web.py", "from config.wsgi import application as site\n")
    running = boot(DJANGO_SETTINGS_MODULE="other.settings", WSGI_APPLICATION="other.web:site").serving()
    assert json.loads(running.get("/about/").body)["url"].startswith("/elsewhere/")
    assert applied(sql, database) == ["0001_initial"]


def test_console_format_is_for_people(boot, project):
    project.add_migration("0002_print", "0001_initial", "migrations.RunPython(lambda *_: print('printed'))")
    running = boot(LOG_FORMAT="console").serving()
    assert "INFO    migrate: Applied shop.0001_initial in " in running.output
    assert "{" not in running.output.split("Serving")[0]
    assert running.stop() == 0


def test_a_projects_own_module_named_entrypoint_does_no_harm(boot, project):
    project.write("entrypoint.py", "raise RuntimeError('not this one')\n")
    project.write("log.py", "raise RuntimeError('nor this one')\n")
    boot().serving()


@pytest.mark.proves("SIGTERM ends the boot at any moment, but never inside a migration")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("module", ["entrypoint", "entrypoint.capture", "entrypoint.signals", "signal"])
def test_a_signal_while_its_own_modules_are_imported(boot, project, number, module):
    """It ends quietly, before it could log anything: SIGINT without the traceback that Python has for it."""
    project.write(
        "early/sitecustomize.py",
        "import os, sys\n"
        "def hook(event, arguments):\n"
        f"    if event == 'import' and arguments[0] == {module!r}: os.kill(os.getpid(), {int(number)})\n"
        "sys.addaudithook(hook)\n",
    )
    running = boot(PYTHONPATH=str(project.directory / "early"))
    assert running.exit_code() in (-number, 128 + number)  # by the kernel, or by a handler
    assert running.output == ""
