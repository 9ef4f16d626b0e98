"""Commands other than serve."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from entrypoint import configuration, healthcheck, role, served
from entrypoint.errors import BootError
from entrypoint.static.lock import LOCK
from tests.entrypoint.booting import ENTRYPOINT, PASSWORD, STAGES, both
from tests.running import free_port

NO_DATABASE = {"POSTGRES_PORT": "1"}


@both
def test_healthcheck(boot):
    boot().serving()
    healthy = boot("healthcheck")
    assert healthy.exit_code() == 0
    assert healthy.messages(level="INFO") == ["Healthy: /api/health/ answers 200."]
    missing = boot("healthcheck", HEALTHCHECK_PATH="/nowhere/")
    assert missing.exit_code() == 20
    assert missing.error == "Unhealthy: /nowhere/ answers 404."


def test_healthcheck_of_a_wildcard_address(boot):
    port = free_port()
    boot(GUNICORN_BIND=f"127.0.0.1:{port}").serving()
    assert boot("healthcheck", GUNICORN_BIND=f"0.0.0.0:{port}").exit_code() == 0


@pytest.mark.proves("The health check asks the address that is served")
def test_healthcheck_of_a_projects_own_address(boot, project, monkeypatch):
    """Whatever it is, it is asked; and what another server has left behind is not."""
    for bind in ("127.0.0.1:0", f"unix:{project.directory}/gunicorn.sock", "unix:gunicorn.sock"):
        project.write("gunicorn_config.py", f"bind = {bind!r}\n")
        running = boot(GUNICORN_BIND=None)
        running.until_logged("Booting worker")
        healthy = boot("healthcheck", GUNICORN_BIND=None)
        assert healthy.exit_code() == 0, healthy.output
        assert boot("healthcheck", GUNICORN_BIND=f"127.0.0.1:{free_port()}").exit_code() == 20
        assert running.stop() == 0
        silent = boot("healthcheck", GUNICORN_BIND=None)
        assert silent.exit_code() == 20
        assert silent.error.startswith(f"Unhealthy: no answer from {bind.removesuffix('0')}")
    monkeypatch.chdir(project.directory)
    assert served.published() == "gunicorn.sock"
    boot(GUNICORN_BIND=f"127.0.0.1:{free_port()}").until_logged("Booting worker")
    assert served.published() is None


@pytest.mark.proves("The health check asks the address that is served")
@pytest.mark.parametrize("planted", ["directory", "fifo", "link", "nonsense"])
def test_healthcheck_believes_only_the_server(monkeypatch, tmp_path, planted):
    file = tmp_path / "served.json"
    monkeypatch.setattr(served, "_paths", lambda: [str(file)])
    served.publish("/tmp/one.sock")
    assert served.published() == "/tmp/one.sock"
    (tmp_path / "secret").write_text('"/tmp/two.sock"')
    file.unlink()
    if planted == "directory":
        file.mkdir()
    elif planted == "fifo":
        os.mkfifo(file)
    elif planted == "link":
        file.symlink_to(tmp_path / "secret")
    else:
        file.write_text("{}")
    assert served.published() is None
    served.publish(("127.0.0.1", 1))
    assert served.published() == (None if planted == "directory" else ("127.0.0.1", 1))
    assert (tmp_path / "secret").read_text() == '"/tmp/two.sock"'


def test_healthcheck_without_a_server(boot):
    running = boot("healthcheck")
    assert running.exit_code() == 20
    assert "Connection refused" in running.error


def test_healthcheck_gives_up_on_a_silent_server(monkeypatch):
    monkeypatch.setattr(healthcheck, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BootError, match="timed out") as failure:
            healthcheck.healthcheck(configuration.read({"GUNICORN_BIND": address}, {}))
    assert failure.value.code == 20


def test_healthcheck_of_a_bad_address(boot):
    assert boot("healthcheck", GUNICORN_BIND="nonsense").exit_code() == 10


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("/nix/tini -- /nix/python3 /nix/bin/entrypoint", "serve"),
        ("/nix/tini -- /nix/python3 /nix/bin/entrypoint serve", "serve"),
        ("/sbin/docker-init -- /nix/tini -- /nix/python3 /nix/bin/entrypoint wait -- celery", "wait"),
        ("/nix/python3 /nix/bin/entrypoint gunicorn config.wsgi", "gunicorn"),
        ("/nix/tini -- /nix/python3 /nix/bin/entrypoint healthcheck", "serve"),
        ("/pause", "serve"),
        ("", "serve"),
    ],
)
def test_what_the_first_process_was_started_to_do(words, command):
    assert role.command(b"".join(word.encode() + b"\0" for word in words.split())) == command


@pytest.mark.proves("The health check is right in a container that does not serve")
@pytest.mark.parametrize(("started_as", "code"), [("serve", 20), ("celery", 0), ("wait", 0), ("manage", 0)])
def test_healthcheck_of_what_does_not_serve(monkeypatch, started_as, code):
    """Who is alive is well, unless it serves; a server that a program of another name is, is asked all the same."""
    monkeypatch.setattr(role, "started_as", lambda: started_as)

    def check(port: int) -> int:
        try:
            healthcheck.healthcheck(configuration.read({"GUNICORN_BIND": f"127.0.0.1:{port}"}, {}))
        except BootError as failure:
            return failure.code
        return 0

    assert check(free_port()) == code
    monkeypatch.setattr(healthcheck, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert check(silent.getsockname()[1]) == (0 if started_as in ("wait", "manage") else 20)


@pytest.mark.proves("The health check is right in a container that does not serve")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("sh -c 'test -e alive'", 0),
        ("sh -c 'exit 3'", 3),
        ("manage check", 0),
        ("manage no-such-command", 1),
        ("nowhere", 127),
        ("sh -c 'unquoted", 10),
    ],
)
def test_healthcheck_by_a_command_of_the_project(boot, project, tmp_path, command, code):
    """It is run as given, in the project's folder; for manage, secrets come from their files."""
    (project.directory / "alive").touch()
    secret = tmp_path / "key"
    secret.write_text("k" * 50)
    running = boot("healthcheck", HEALTHCHECK_COMMAND=command, SECRET_KEY=None, SECRET_KEY_FILE=str(secret))
    assert running.exit_code() == code, running.output


def test_healthcheck_imports_no_django(project, environment):
    code = (
        "import sys; sys.argv = ['entrypoint', 'healthcheck']; import runpy\n"
        f"try: runpy.run_path({str(ENTRYPOINT)!r}, run_name='__main__')\n"
        "except SystemExit as end: print(end.code, 'django' in sys.modules, 'gunicorn' in sys.modules)"
    )
    environ = {**environment, "LOG_FORMAT": "console"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.directory,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-1] == "20 False False"


def test_manage(boot, project, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    running = boot(
        "manage", "showmigrations", "shop", POSTGRES_PASSWORD=None, POSTGRES_PASSWORD_FILE=str(secret)
    )
    assert running.exit_code() == 0
    assert running.output == "shop\n [ ] 0001_initial\n", "raw, as manage.py wrote it"


def test_manage_takes_arguments_and_exit_codes_as_they_are(boot):
    assert boot("manage", "no-such-command", "--help").exit_code() == 1


def test_manage_without_a_project(boot, project):
    (project.directory / "manage.py").unlink()
    running = boot("manage", "migrate")
    assert running.exit_code() == 127
    assert "has no manage.py" in running.error


def test_manage_with_a_secret_that_cannot_be_read(boot):
    running = boot("manage", "check", SECRET_KEY=None, SECRET_KEY_FILE="/nowhere")
    assert running.exit_code() == 10
    assert "SECRET_KEY_FILE" in running.error


def test_check_needs_no_database(boot):
    running = boot("check", **NO_DATABASE)
    assert running.exit_code() == 0
    assert any("security.W" in each for each in running.messages(stage="check")), "a check for deployments"


def test_check_fails_with_the_checks(boot, project):
    project.add_setting("ROOT_URLCONF = 'config.urls'\nSTATICFILES_DIRS = [STATIC_ROOT]")
    running = boot("check", **NO_DATABASE)
    assert running.exit_code() == 10
    assert "staticfiles.E002" in running.error


@pytest.mark.proves("The settings module defaults to config.settings.production, and is exported first")
@pytest.mark.proves("Any other command is executed as given (`ls -la /app/`)")
def test_any_other_command_is_executed_as_given(boot, project):
    running = boot(
        "sh", "-c", 'echo "$0 $DJANGO_SETTINGS_MODULE $RUN_MIGRATIONS"; exit 7', "a b", RUN_MIGRATIONS="x"
    )
    assert running.exit_code() == 7
    assert running.output == "a b config.settings.production x\n"


def test_other_commands_get_ordinary_signals(boot):
    look = "yes | head -n 1; grep SigIgn /proc/self/status"
    # Some shells ignore signals of their own accord.
    usual = subprocess.run(["sh", "-c", look], capture_output=True, text=True, check=True).stdout
    running = boot("sh", "-c", look)
    assert running.exit_code() == 0
    assert running.output == usual


def test_a_program_that_does_not_exist(boot):
    running = boot("migrat")
    assert running.exit_code() == 127
    assert "There is no program 'migrat': use serve, migrate, check" in running.error


def test_a_program_that_cannot_be_executed(boot, project):
    running = boot("/", "-l")
    assert running.exit_code() == 126
    assert "The program '/' cannot be executed: Permission denied." in running.error


@pytest.mark.parametrize("arguments", [("--bind", "0.0.0.0:80"), ("serve", "--reload"), ("check", "x")])
def test_arguments_that_nobody_reads(boot, arguments):
    running = boot(*arguments)
    assert running.exit_code() == 10
    assert f"There is no command {' '.join(arguments)!r}" in running.error


def test_help(boot):
    running = boot("--help")
    assert running.exit_code() == 0
    for command in ("serve", "migrate", "check", "healthcheck", "wait", "manage"):
        assert f"\n  {command} " in running.output


def test_a_working_directory_that_is_gone(environment, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    result = subprocess.run(
        [sys.executable, str(ENTRYPOINT)],
        env=environment,
        preexec_fn=lambda: (os.chdir(gone), gone.rmdir()),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 10
    assert "The working directory cannot be read" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


HOLD = "import time\nprint('held', flush=True)\ntime.sleep(60)\n"


@pytest.mark.proves("SIGTERM ends the boot at any moment, but never inside a migration")
@pytest.mark.parametrize("stage", STAGES)
def test_sigterm_in_any_stage_of_the_boot(boot, project, stage):
    """Held there, it ends at once; only a migration that is being applied is finished before."""
    changes, code = {"RUN_MIGRATIONS": "0"}, -signal.SIGTERM
    held = {"configure": "config/settings/production.py", "serve": "config/wsgi.py"}.get(stage)
    with contextlib.ExitStack() as stack:
        if held:
            before = (project.directory / held).read_text()
            project.write(held, HOLD + before)
        elif stage == "wait":
            changes, told = {"POSTGRES_PORT": str(free_port())}, "Waiting for PostgreSQL"
        elif stage == "migrate":
            project.add_migration("0002_slow", "0001_initial", "migrations.RunSQL('SELECT pg_sleep(1)')")
            changes, told, code = {}, "Applying shop.0002_slow", 143
        else:
            project.static.mkdir()
            lock = stack.enter_context(open(project.static / LOCK, "w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            told = "Another process is working in"
        running = boot(**changes)
        running.until_logged("held" if held else told)
        assert running.stop() == code
    if held:
        project.write(held, before)
    boot().serving()  # nothing stands in the next start's way
