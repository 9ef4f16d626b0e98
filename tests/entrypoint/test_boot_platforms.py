"""What platforms and operators say in gunicorn's own terms: PORT and GUNICORN_CMD_ARGS."""

from __future__ import annotations

import http.client

import pytest

from tests.entrypoint.booting import children
from tests.running import free_port


def serves(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/api/health/")
        return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.mark.proves("`PORT` and `GUNICORN_CMD_ARGS` count, and the health check follows them")
def test_the_port_of_a_platform(boot, project):
    """It is served on every address, whatever the project's own file says; the health check asks there."""
    port, other = free_port(), free_port()
    project.write("gunicorn_config.py", f"bind = '127.0.0.1:{other}'\n")
    running = boot(GUNICORN_BIND=None, PORT=str(port))
    running.until(lambda: serves(port))
    assert not serves(other)
    running.until_logged(f"Listening at: http://0.0.0.0:{port}")
    assert boot("healthcheck", GUNICORN_BIND=None, PORT=str(port)).exit_code() == 0
    assert boot("healthcheck", GUNICORN_BIND=None, PORT=str(other)).exit_code() == 20


def test_the_address_that_is_set_is_stronger_than_the_port(boot):
    port = free_port()
    boot(PORT=str(port)).serving()
    assert not serves(port)
    assert boot(PORT="eighty").serving(), "nobody asked for it"


@pytest.mark.parametrize("port", ["0", "65536", "http", "tcp://10.0.0.1:80", "8 0"])
def test_a_port_that_is_none(boot, port):
    running = boot(GUNICORN_BIND=None, PORT=port)
    assert running.exit_code() == 10
    assert f"PORT is {port!r}: use a whole number from 1 to 65535" in running.error


@pytest.mark.proves("`PORT` and `GUNICORN_CMD_ARGS` count, and the health check follows them")
def test_arguments_of_gunicorn_win(boot, project, environment):
    port = free_port()
    file = project.write(
        "elsewhere/server.py", "workers = 1\ntimeout = 66\nworker_class = 'gthread'\nthreads = 2\n"
    )
    project.write("gunicorn_config.py", "1 / 0\n")
    arguments = f"-c '{file}' --bind=127.0.0.1:{port} --workers 3 --max-requests-jitter 7"
    running = boot(GUNICORN_CMD_ARGS=arguments, PORT=str(free_port()), GUNICORN_TIMEOUT="77")
    running.until(lambda: serves(port))
    running.until(lambda: len(children(running.process.pid)) == 3)
    assert "Using worker: gthread" in running.output, "of the file that they name"
    assert boot("healthcheck", GUNICORN_CMD_ARGS=arguments).exit_code() == 0
    assert boot("healthcheck").exit_code() == 20, "at GUNICORN_BIND nobody is"


def test_a_module_may_configure_gunicorn(boot, project):
    project.write("config/server.py", "workers = 2\n")
    running = boot(GUNICORN_CMD_ARGS="--config python:config.server", WEB_CONCURRENCY=None).serving()
    running.until(lambda: len(children(running.process.pid)) == 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--workers 2 --no-such-option", "cannot be used: unrecognized arguments: --no-such-option."),
        ("--workers many", "cannot be used: argument -w/--workers: invalid "),
        ("--timeout=-1", "--timeout is wrong: ValueError: "),
        ("--user nobody-of-that-name", "cannot be used: --user is wrong: ConfigError: No such user"),
        ("config.wsgi:other", "'config.wsgi:other' is no option; WSGI_APPLICATION says what is served."),
        ("--daemon", "--daemon has no effect here."),
        ("--check-config", "--check-config has no effect here."),
        ("--help", "it asks for help only."),
        ("--version", "it asks for help only."),
        ("--bind 'unquoted", "quote it as in a shell (no closing quotation)"),
        ("--config nowhere.py", "nowhere.py cannot be read: FileNotFoundError"),
    ],
)
def test_arguments_that_gunicorn_does_not_take(boot, arguments, sentence):
    running = boot(GUNICORN_CMD_ARGS=arguments, RUN_MIGRATIONS="0", RUN_COLLECTSTATIC="0")
    assert running.exit_code() == (17 if "nowhere" in sentence else 10), running.output
    assert sentence in running.error
    assert "usage:" not in running.output
