"""Serving: gunicorn in the same process, its logs, its end; and what keeps it from starting."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.entrypoint import refusing
from tests.entrypoint.booting import PASSWORD, PATIENCE, SECRET_KEY, Boot, both, children
from tests.entrypoint.test_boot_static import without_privileges
from tests.running import free_port

REFUSING = Path(refusing.__file__).read_text()  # for a project to do so to itself

JSON_LINES = """\
import json, logging

class JsonLines(logging.Formatter):
    def format(self, record):
        fields = {
            "timestamp": "2026-01-01T00:00:00.000Z", "level": record.levelname, "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exc_info"] = self.formatException(record.exc_info)
        return json.dumps(fields)
"""


@pytest.mark.proves("If gunicorn fails to start, the container exits")
def test_the_port_is_taken(boot):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        running = boot(GUNICORN_BIND=address)
        assert running.exit_code() == 17
    assert running.error == (
        f"The address {address} cannot be served: Address already in use; free it, or choose another one"
        " (GUNICORN_BIND)."
    )


def test_an_address_that_is_not_ours(boot):
    running = boot(GUNICORN_BIND="192.0.2.1:8000")
    assert running.exit_code() == 17
    assert "The address 192.0.2.1:8000 cannot be served: Cannot assign requested address" in running.error


@pytest.mark.proves("If gunicorn fails to start, the container exits")
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "1 / 0",
            "gunicorn_config.py cannot be read: ZeroDivisionError: division by zero (gunicorn_config.py:1)",
        ),
        ("workers = 'many'", "gunicorn_config.py has a bad workers: "),
        ("worker_class = 'no.such.worker'", "cannot start"),
        ("raise SystemExit('set FOO')", "gunicorn_config.py cannot be read: SystemExit: set FOO"),
    ],
)
def test_a_bad_gunicorn_configuration(boot, project, code, sentence):
    project.write("gunicorn_config.py", code + "\n")
    running = boot(RUN_COLLECTSTATIC="0")
    assert running.exit_code() == 17
    assert sentence in running.error


@pytest.mark.proves("If gunicorn fails to start, the container exits")
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere' (config/wsgi.py:1)"),
        ("app = None", "AppImportError: Failed to find attribute 'application' in 'config.wsgi'."),
        ("def (", "SyntaxError: invalid syntax (config/wsgi.py:1)"),
        ("application = 5", "AppImportError: Application object must be callable."),
    ],
)
def test_an_application_that_cannot_be_imported(boot, project, code, sentence):
    project.write("config/wsgi.py", code + "\n")
    running = boot(RUN_COLLECTSTATIC="0")
    assert running.exit_code() == 18
    assert f"The application config.wsgi:application cannot be imported: {sentence}" in running.error


def test_an_application_that_workers_cannot_import(boot, project):
    project.write("gunicorn_config.py", "preload_app = False\n")
    project.write("config/wsgi.py", "import nowhere\n")
    running = boot(RUN_MIGRATIONS="0", RUN_COLLECTSTATIC="0")
    assert running.exit_code() == 18
    assert running.messages(level="ERROR")[-1].startswith("No worker could start")


def test_a_media_directory_that_cannot_be_written_is_pointed_out(boot, project):
    settings = project.directory / "config/settings/production.py"
    project.write("config/settings/production.py", settings.read_text() + "MEDIA_ROOT = BASE_DIR / 'media'\n")
    media = project.directory / "media"
    media.mkdir()
    writable = boot().serving()
    writable.stop(signal.SIGTERM)
    assert writable.messages(level="WARNING") == []
    media.chmod(0o555)
    (warning,) = boot(options={"preexec_fn": without_privileges}).serving().messages(level="WARNING")
    assert warning.startswith(f"MEDIA_ROOT cannot be written to, so uploads will fail ({media} belongs to ")
    media.chmod(0o755)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_leaves_no_process(boot, number):
    running = boot().serving()
    workers = children(running.process.pid)
    assert running.stop(number) == 0
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]


@pytest.mark.proves("Requests in flight are finished")
@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_and_new_ones_are_refused(boot, project, number):
    running = boot(WEB_CONCURRENCY="2", GUNICORN_GRACEFUL_TIMEOUT="60").serving()
    answers: list[tuple[int, bytes]] = []

    def ask() -> None:
        response = running.get("/waiting/")
        answers.append((response.status, response.body))

    thread = threading.Thread(target=ask)
    thread.start()
    running.until(lambda: established(running))
    running.process.send_signal(number)
    running.until(lambda: refuses(running))
    assert thread.is_alive()
    project.write("go", "")
    assert running.exit_code() == 0
    thread.join()
    assert answers == [(200, b"finished")]


@pytest.mark.proves("Requests in flight are finished")
@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_that_wait_for_a_worker_are_finished(boot, project, number):
    running = boot(WEB_CONCURRENCY="2", GUNICORN_GRACEFUL_TIMEOUT="60").serving()
    host, _, port = running.address.rpartition(":")
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE))
            for _ in range(10)
        ]
        for count, client in enumerate(clients, 1):
            client.sendall(b"GET /blocking/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            least = min(count, 2)  # the others wait in the kernel
            running.until(lambda least=least: len(list(project.directory.glob("blocked-*"))) == least)
        running.process.send_signal(number)
        running.until(lambda: refuses(running))
        project.write("go", "")
        answers = [client.makefile("rb").read() for client in clients]
    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [b"finished"] * len(clients)
    assert running.exit_code() == 0


@both
def test_clients_that_connect_while_it_stops_are_answered_or_refused(boot, project):
    """Each sends its request a moment after it has connected: what it has begun is not cut off in between."""
    running = boot(WEB_CONCURRENCY="2", GUNICORN_GRACEFUL_TIMEOUT="60").serving()
    host, _, port = running.address.rpartition(":")
    answers: list[bytes] = []

    def ask() -> None:
        try:
            client = socket.create_connection((host, int(port)), timeout=PATIENCE)
        except OSError as error:
            answers.append(b"refused" if isinstance(error, ConnectionRefusedError) else str(error).encode())
            return
        with client:
            time.sleep(0.02)
            try:
                client.sendall(b"GET /waiting/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answers.append(client.makefile("rb").read().rpartition(b"\r\n\r\n")[2])
            except OSError as error:
                answers.append(str(error).encode())

    project.write("go", "")
    clients: list[threading.Thread] = []
    while b"refused" not in answers and len(clients) < 3000:
        clients.append(threading.Thread(target=ask))
        clients[-1].start()
        if len(clients) == 50:
            running.process.send_signal(signal.SIGTERM)
        time.sleep(0.004)
    for each in clients:
        each.join()
    assert running.exit_code() == 0
    assert set(answers) == {b"finished", b"refused"}


@both
def test_clients_that_are_connected_and_have_said_nothing_are_answered(boot, project):
    """The kernel keeps them from the server; it is asked for them when the server stops."""
    running = boot(WEB_CONCURRENCY="2", GUNICORN_GRACEFUL_TIMEOUT="60").serving()
    host, _, port = running.address.rpartition(":")
    project.write("go", "")
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE))
            for _ in range(4)
        ]
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        for client in clients:
            client.sendall(b"GET /waiting/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = [client.makefile("rb").read() for client in clients]
    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [b"finished"] * len(clients)
    assert running.exit_code() == 0


def refuses(running: Boot) -> bool:
    """Whether new connections are refused."""
    host, _, port = running.address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == errno.ECONNREFUSED


def established(running: Boot) -> bool:
    """Whether a worker has taken a connection on the server's port."""
    port = f":{int(running.address.rpartition(':')[2]):04X}"
    inodes = {
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[1].endswith(port) and fields[3] == "01"
    }
    for pid in children(running.process.pid):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if target.removeprefix("socket:[").removesuffix("]") in inodes:
                return True
    return False


def test_a_worker_that_dies_is_replaced(boot):
    running = boot().serving()
    (worker,) = children(running.process.pid)
    os.kill(worker, signal.SIGKILL)
    running.until(lambda: children(running.process.pid) not in ([worker], []))
    running.serving()


@pytest.mark.proves("A server without workers ends with a sentence; one that has started goes on")
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (  # as with --ipc=none
            "worker_tmp_dir = '/nowhere'",
            "No worker can be started: RuntimeError: /nowhere doesn't exist. Can't create workertmp.",
        ),
        ("worker_tmp_dir = '/proc'", "see that /dev/shm or /tmp is writable, and worker_tmp_dir is right."),
        (
            "import refusing\nwhen_ready = lambda server: refusing.processes()",
            "No further process can be started: Resource temporarily unavailable; raise the limit on processes",
        ),
        (
            "def pre_fork(server, worker):\n    1 / 0",
            "No worker can be started: ZeroDivisionError: division by zero (gunicorn_config.py:2).",
        ),
    ],
)
def test_no_worker_can_be_started(boot, project, code, sentence):
    project.write("refusing.py", REFUSING)
    project.write("gunicorn_config.py", f"{code}\n")
    running = boot()
    assert running.exit_code() == 17
    assert sentence in running.error


@pytest.mark.proves("A server without workers ends with a sentence; one that has started goes on")
def test_no_process_can_be_started_at_all(boot):
    running = boot(options={"preexec_fn": refusing.processes})
    assert running.exit_code() == 17
    assert "No further process can be started: Resource temporarily unavailable" in running.error


LIMITED = "import refusing, threading\n{indent}refusing.processes()\n{indent}threading.Thread(target=print).start()\n"


@pytest.mark.proves("A server without workers ends with a sentence; one that has started goes on")
@pytest.mark.parametrize("file", ["config/wsgi.py", "config/storage.py"])
def test_no_thread_can_be_started(boot, project, file):
    """The sentence speaks of the limit, not of the code that met it."""
    project.write("refusing.py", REFUSING)
    project.write(
        "config/storage.py",
        "from django.contrib.staticfiles.storage import StaticFilesStorage\n"
        "class Storage(StaticFilesStorage):\n    pass\n",
    )
    project.add_setting("STORAGES['staticfiles']['BACKEND'] = 'config.storage.Storage'")
    text = (project.directory / file).read_text()
    if file == "config/wsgi.py":
        project.write(file, LIMITED.format(indent="") + text)
    else:
        indent = " " * 8
        method = f"    def post_process(self, *args, **options):\n{indent}{LIMITED.format(indent=indent)}"
        project.write(file, text.replace("    pass\n", method))
    running = boot()
    assert running.exit_code() == 17
    assert "No further process can be started: can't start new thread; raise the limit" in running.error


@pytest.mark.proves("A server without workers ends with a sentence; one that has started goes on")
def test_a_worker_that_cannot_be_replaced_is_waited_for(boot, project):
    # What the kernel refuses once it refuses for good: here it must allow it again.
    project.write(
        "gunicorn_config.py",
        "import errno, os\nfork = os.fork\n"
        "def limited():\n"
        "    if os.path.exists('full'):\n"
        "        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))\n"
        "    return fork()\n"
        "def when_ready(server):\n    os.fork = limited\n",
    )
    running = boot(WEB_CONCURRENCY="2").serving()
    master = running.process.pid
    killed, other = running.until(lambda: len(now := children(master)) == 2 and now)
    project.write("full", "")
    os.kill(killed, signal.SIGKILL)
    running.until_logged("No further process can be started")
    assert running.get("/api/health/").status == 200
    assert children(master) == [other]
    (project.directory / "full").unlink()
    running.until(lambda: len(children(master)) == 2)
    assert running.stop() == 0


GOOD = "workers = 1\nraw_env = ['WEB_CONCURRENCY=kept']\n"


@pytest.mark.proves("SIGHUP with a wrong configuration changes nothing")
@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("workers = (", "gunicorn_config.py cannot be read: SyntaxError: '(' was never closed"),
        ("1 / 0", "gunicorn_config.py cannot be read: ZeroDivisionError: division by zero"),
        ("workers = 'many'", "gunicorn_config.py has a bad workers: "),
        ("worker_class = 'no.such.worker'", "no.such.worker"),
        ("bind = '127.0.0.1:1'", "the address changes, to 127.0.0.1:1, only with a new start."),
        ("def on_reload(server):\n    raise SystemExit('not now')", "SystemExit: not now"),
    ],
)
def test_sighup_with_a_bad_configuration_keeps_the_old_one(boot, project, environment, bad, sentence):
    project.write("gunicorn_config.py", f"bind = {environment['GUNICORN_BIND']!r}\n{GOOD}")
    running = boot(GUNICORN_BIND=None, WEB_CONCURRENCY=None)
    running.address = environment["GUNICORN_BIND"]
    workers = children(running.serving().process.pid)
    project.write("gunicorn_config.py", f"bind = {environment['GUNICORN_BIND']!r}\nworkers = 2\n{bad}\n")
    running.process.send_signal(signal.SIGHUP)
    running.until_logged("The server keeps its configuration, the new one cannot be used: ")
    assert running.get("/api/health/").status == 200
    assert children(running.process.pid) == workers
    assert sentence in running.error

    os.kill(workers[0], signal.SIGKILL)  # whoever is started now gets the old configuration
    running.until(lambda: children(running.process.pid) not in (workers, []))
    about = json.loads(running.serving().get("/about/").body)
    assert about["environ"]["WEB_CONCURRENCY"] == "kept"
    (worker,) = children(running.process.pid)

    project.write("gunicorn_config.py", f"bind = {environment['GUNICORN_BIND']!r}\nworkers = 2\n")
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda: len(now := children(running.process.pid)) == 2 and worker not in now)
    assert running.stop() == 0


@both
def test_access_log_has_the_path_and_not_the_query(boot):
    running = boot().serving()
    running.get("/slow/?seconds=0&token=do-not-log-me")
    running.until_logged("/slow/")
    (record,) = [each for each in running.records if each.get("path") == "/slow/"]
    assert record["logger"] == "gunicorn.access"
    assert (record["method"], record["status"], record["remote_addr"]) == ("GET", 200, "127.0.0.1")
    assert isinstance(record["duration_ms"], float)
    assert "do-not-log-me" not in running.output


@pytest.mark.proves("Logs go to stdout as JSON; files only on demand")
@both
def test_prints_warnings_and_errors_of_the_application_are_json(boot):
    running = boot().serving()
    running.get("/noisy/")
    assert running.get("/broken/").status == 500
    assert "printed by a view" in running.messages(logger="stdout")
    assert "complained by a view" in running.messages(logger="stderr")
    (warning,) = running.messages(logger="py.warnings")
    assert warning.startswith("UserWarning: a warning of a view (")
    (error,) = [record for record in running.records if record["logger"] == "django.request"]
    assert error["message"] == "Internal Server Error: /broken/"
    assert error["traceback"].endswith("RuntimeError: a view that fails")


@pytest.mark.parametrize("preload", [True, False])
def test_a_projects_logging_does_not_silence_the_boot(boot, project, preload):
    project.write("gunicorn_config.py", f"preload_app = {preload}\n")
    project.add_setting(
        "LOGGING = {'version': 1, 'disable_existing_loggers': True,"
        " 'handlers': {'mine': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}},"
        " 'root': {'handlers': ['mine'], 'level': 'INFO'}}"
    )
    running = boot().serving()
    running.get("/about/")
    running.until_logged("/about/")
    for logger in ("entrypoint", "gunicorn.error", "gunicorn.access"):
        assert running.messages(logger=logger)
    running.stop()
    assert "Shutting down: Master" in running.messages(logger="gunicorn.error")


def test_a_projects_own_json_lines_pass_as_they_are(boot, project):
    line = {"timestamp": "2026-01-01T00:00:00.000Z", "level": "INFO", "logger": "mine", "message": "hello"}
    project.write(
        "config/wsgi.py",
        f"print({json.dumps(line)!r})\nfrom django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n",
    )
    running = boot().serving()
    assert line in running.records


@pytest.mark.proves("Configuration values are logged, secrets are not")
def test_a_projects_own_json_lines_hold_no_secret(boot, project):
    """A view raises an exception that quotes secrets, and the project's own formatter logs it as JSON."""
    token = 'quo"ted\\and-back-slashed'
    project.write("config/lines.py", JSON_LINES)
    project.write(
        "config/urls.py",
        (project.directory / "config/urls.py")
        .read_text()
        .replace(
            'RuntimeError("a view that fails")',
            'RuntimeError(" ".join([os.environ["POSTGRES_PASSWORD"], os.environ["SECRET_KEY"],'
            ' os.environ["SHOP_TOKEN"], settings.CACHES["default"]["LOCATION"], settings.EMAIL_HOST_PASSWORD]))',
        )
        + "from django.conf import settings\n",
    )
    project.add_setting(
        "EMAIL_HOST_PASSWORD = 'known-to-the-post'\n"
        "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.redis.RedisCache',"
        " 'LOCATION': 'redis://:known-to-the-cache@cache'}}"
    )
    project.add_setting(
        "LOGGING = {'version': 1, 'disable_existing_loggers': False,"
        " 'formatters': {'mine': {'()': 'config.lines.JsonLines'}},"
        " 'handlers': {'mine': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout',"
        " 'formatter': 'mine'}}, 'root': {'handlers': ['mine'], 'level': 'INFO'}}"
    )
    running = boot(SHOP_TOKEN=token).serving()
    assert running.get("/broken/").status == 500
    running.stop()
    (record,) = [each for each in running.records if each["logger"] == "django.request"]
    assert record["exc_info"].endswith("RuntimeError: *** *** *** redis://:***@cache ***")
    for secret in (PASSWORD, SECRET_KEY, token, json.dumps(token)[1:-1], "known-to"):
        assert secret not in running.output


@pytest.mark.proves("No stranger's text passes for a record, or commands a terminal")
def test_text_that_looks_like_a_record_is_none(boot, project):
    """A project that logs plain text, a part of which was written by a stranger."""
    forged = json.dumps(
        {
            "timestamp": "2026-01-01T00:00:00.000Z",
            "level": "ERROR",
            "logger": "entrypoint",
            "message": "FORGED",
        }
    )
    project.write(
        "config/wsgi.py",
        f"print('Not Found: /a\\n' + {forged!r})\nfrom django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n",
    )
    running = boot().serving()
    assert forged in running.messages(logger="stdout")
    assert running.messages(level="ERROR") == []


FORGED = "/a%0a14:37:00.000%20ERROR%20entrypoint:%20FORGED%1b[2J%c2%85%e2%80%a8"


@pytest.mark.proves("No stranger's text passes for a record, or commands a terminal")
@both
@pytest.mark.parametrize("own_logging", [False, True])
def test_a_stranger_writes_no_line_and_no_escape_sequence(boot, project, own_logging):
    if own_logging:
        project.add_setting(
            "LOGGING = {'version': 1, 'disable_existing_loggers': False,"
            " 'handlers': {'mine': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}},"
            " 'root': {'handlers': ['mine'], 'level': 'INFO'}}"
        )
    project.write(
        "config/urls.py",
        (project.directory / "config/urls.py").read_text()
        + "def echo(request, text):\n    raise RuntimeError(text)\n\n"
        "from django.urls import re_path\nurlpatterns += [re_path('(?s)^(a.*)$', echo)]\n",
    )
    running = boot(LOG_FORMAT="console").serving()
    assert running.get(FORGED).status == 500
    running.stop()
    assert "ERROR   django.request: " in running.output or own_logging
    assert running.output.count("FORGED") >= 3  # in the access log, and in the traceback
    assert not [each for each in running.output.splitlines() if each.startswith("14:37")]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", running.output)


@pytest.mark.proves("No stranger's text passes for a record, or commands a terminal")
@both
def test_json_holds_no_line_separators(boot):
    running = boot().serving()
    assert running.get(FORGED).status == 404
    running.stop()
    assert len(running.output.splitlines()) == running.output.count("\n")
    paths = [record["path"] for record in running.records if record["logger"] == "gunicorn.access"]
    assert any("\n14:37" in each and "\x1b[2J" in each and "\x85" in each for each in paths)


@pytest.mark.proves("Closed standard streams do no harm")
def test_closed_descriptors_are_not_given_to_sockets(boot):
    """As of a shell's `entrypoint <&- >&- 2>&-`: log lines would go into the connection to the database."""
    running = boot(options={"preexec_fn": lambda: os.closerange(0, 3)}).serving()
    (worker,) = children(running.process.pid)
    for process in (running.process.pid, worker):
        for descriptor in range(3):
            assert os.readlink(f"/proc/{process}/fd/{descriptor}") == os.devnull
    assert running.output == ""
    assert running.stop() == 0


@pytest.mark.proves("Closed standard streams do no harm")
def test_a_program_gets_no_closed_descriptors(boot, tmp_path):
    code = f"import os; [os.fstat(each) for each in range(3)]; open({str(tmp_path / 'end')!r}, 'w').close()"
    program = boot(sys.executable, "-c", code, options={"preexec_fn": lambda: os.closerange(0, 3)})
    assert program.exit_code() == 0
    assert (tmp_path / "end").exists()


@pytest.mark.proves("Logs go to stdout as JSON; files only on demand")
def test_logs_to_files(boot, project):
    running = boot(GUNICORN_LOG_TO_FILES="1").serving()
    running.get("/about/")
    running.stop()
    logs = project.directory / "logs"
    access = [json.loads(line) for line in (logs / "gunicorn_access.log").read_text().splitlines()]
    assert "/about/" in [record["path"] for record in access]
    errors = [json.loads(line) for line in (logs / "gunicorn_error.log").read_text().splitlines()]
    assert "Shutting down: Master" in [record["message"] for record in errors]
    assert running.messages(logger="gunicorn.access") == []


def test_threads_that_importing_starts_are_pointed_out(boot, project):
    project.write(
        "config/wsgi.py",
        "import threading, time\nfrom django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True, name='ticker').start()\n",
    )
    running = boot().serving()
    (warning,) = [each for each in running.messages(level="WARNING") if "threads" in each]
    assert "ticker" in warning


def test_ipv6(boot):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    port = free_port()
    running = boot(GUNICORN_BIND=f"[::1]:{port}")
    running.until_logged("Listening at")
    health = boot("healthcheck", GUNICORN_BIND=f"[::1]:{port}")
    assert health.exit_code() == 0


def test_a_projects_handlers_for_gunicorn_write_nothing_twice(boot, project):
    """Such as one that expects gunicorn's own wording of a request."""
    project.write(
        "gunicorn.conf.py",
        "import logging\n\nclass Picky(logging.Formatter):\n    def format(self, record):\n"
        "        raise ValueError('not the wording that I know')\n\n"
        "handler = logging.StreamHandler()\nhandler.setFormatter(Picky())\n"
        "logging.getLogger('gunicorn.access').addHandler(handler)\n",
    )
    running = boot().serving()
    running.get("/api/health/?last")
    assert running.stop() == 0
    assert running.messages(logger="gunicorn.access")
    assert "the wording that I know" not in running.output
