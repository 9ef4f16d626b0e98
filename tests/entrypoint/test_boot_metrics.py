"""Metrics, as Prometheus reads them: of all workers, and right whatever becomes of one."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import threading

import pytest

from tests.entrypoint.booting import Boot, both, children
from tests.running import free_port

SAMPLE = re.compile(r"(gunicorn_\w+)(?:\{\w+=\"([^\"]+)\"\})? ([0-9.e+-]+)")


@pytest.fixture
def address():
    return f"127.0.0.1:{free_port()}"


def scrape(address: str) -> dict[tuple[str, str], float]:
    """The samples, by name and label; every line is a comment or a sample."""
    connection = http.client.HTTPConnection(address, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if not line.startswith("# "):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            found[sample[1], sample[2] or ""] = float(sample[3])
    return found


def requests(address: str, status: str = "2xx") -> float:
    return scrape(address)["gunicorn_requests_total", status]


def ask_half(running: Boot) -> socket.socket:
    """A whole request, whose answer is not read."""
    host, _, port = running.address.partition(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(b"GET /api/health/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client


@pytest.mark.proves("Metrics count all workers' requests, also of those that have ended")
@both
def test_counts_outlive_workers(boot, address):
    running = boot(METRICS_BIND=address, WEB_CONCURRENCY="2").serving()
    running.until(lambda: scrape(address)["gunicorn_requests_in_progress", ""] == 0)
    before = scrape(address)
    assert before["gunicorn_workers", ""] == 2
    for _ in range(10):
        assert running.get("/about/").status == 200
    assert running.get("/broken/").status == 500
    assert running.get("/nowhere/").status == 404
    count = before["gunicorn_requests_total", "2xx"] + 10
    running.until(lambda: requests(address) == count)
    running.until(lambda: (requests(address, "4xx"), requests(address, "5xx")) == (1, 1))
    killed = children(running.process.pid)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    running.until(lambda: len(set(children(running.process.pid)) - set(killed)) == 2)
    assert requests(address) == count
    running.process.send_signal(signal.SIGHUP)
    replaced = children(running.process.pid)
    running.until(lambda: len(set(children(running.process.pid)) - {*killed, *replaced}) == 2)
    assert running.get("/about/").status == 200
    running.until(lambda: requests(address) == count + 1)
    assert running.get("/slow/?seconds=0.6").status == 200
    running.until(lambda: requests(address) == count + 2)
    after = scrape(address)
    assert after["gunicorn_request_duration_seconds_count", ""] == count + 4
    assert after["gunicorn_request_duration_seconds_bucket", "+Inf"] == count + 4
    assert after["gunicorn_request_duration_seconds_bucket", "0.5"] < count + 4
    assert after["gunicorn_request_duration_seconds_sum", ""] > 0.6
    assert running.stop() == 0


@pytest.mark.proves("Metrics tell how many workers are busy, and who waits for one")
@both
def test_busy_workers_and_the_queue(boot, project, address):
    running = boot(METRICS_BIND=address).serving()
    queue = ("gunicorn_listen_queue", running.address)
    slow = threading.Thread(target=lambda: running.get("/blocking/"))
    slow.start()
    # The view has the event loop for itself; a moment before, the worker would accept more.
    running.until(lambda: any(project.directory.glob("blocked-*")))
    assert scrape(address)["gunicorn_workers_busy", ""] == 1
    waiting = [ask_half(running) for _ in range(3)]
    running.until(lambda: scrape(address)[queue] == 3)
    assert scrape(address)["gunicorn_requests_in_progress", ""] == 1
    assert scrape(address)["gunicorn_listen_queue_limit", running.address] > 3
    project.write("go", "")
    slow.join()
    running.until(lambda: scrape(address)[queue] == scrape(address)["gunicorn_workers_busy", ""] == 0)
    for client in waiting:
        client.close()


def test_a_worker_that_is_killed_is_not_busy(boot, address):
    running = boot(METRICS_BIND=address).serving()

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            running.get("/slow/?seconds=60")

    waiting = threading.Thread(target=ask)
    waiting.start()
    running.until(lambda: scrape(address)["gunicorn_workers_busy", ""] == 1)
    (worker,) = children(running.process.pid)
    os.kill(worker, signal.SIGKILL)
    waiting.join()
    running.until(lambda: scrape(address)["gunicorn_workers_busy", ""] == 0)
    assert scrape(address)["gunicorn_workers", ""] <= 1


@both
def test_threads_are_counted_too(boot, project, address, kind):
    if kind == "wsgi":  # in the other one Django has threads of its own
        project.write("gunicorn.conf.py", "threads = 4\n")
    running = boot(METRICS_BIND=address).serving()
    slow = [threading.Thread(target=lambda: running.get("/waiting/")) for _ in range(3)]
    for each in slow:
        each.start()
    running.until(lambda: scrape(address)["gunicorn_requests_in_progress", ""] == 3)
    assert scrape(address)["gunicorn_workers_busy", ""] == 1
    project.write("go", "")
    for each in slow:
        each.join()
    running.until(lambda: scrape(address)["gunicorn_requests_in_progress", ""] == 0)


@both
def test_hooks_of_the_project_are_called(boot, project, address):
    project.write(
        "gunicorn.conf.py",
        "def pre_request(worker, req):\n    print('before', req.path)\n\n"
        "def post_request(worker, req):\n    print('after', req.path)\n",
    )
    running = boot(METRICS_BIND=address).serving()
    running.until(lambda: requests(address) >= 1)
    assert {"before /api/health/", "after /api/health/"} <= set(running.messages())


def test_slow_clients_and_other_paths(boot, address):
    running = boot(METRICS_BIND=address).serving()
    host, _, port = address.partition(":")
    with contextlib.ExitStack() as silent:
        for _ in range(3):
            silent.enter_context(socket.create_connection((host, int(port))))
        assert requests(address) >= 1
    connection = http.client.HTTPConnection(address, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        assert connection.getresponse().status == 404
    assert running.stop() == 0


def test_an_address_that_is_taken(boot, sql, database):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        running = boot(METRICS_BIND=address)
        assert running.exit_code() == 17
    assert f"The address {address} cannot be served: Address already in use" in running.error
    assert "(METRICS_BIND)" in running.error
    assert sql("SELECT to_regclass('shop_item') IS NULL", database=database) == [(True,)]


def test_an_address_that_is_none(boot):
    running = boot(METRICS_BIND="9000")
    assert running.exit_code() == 10
    assert "METRICS_BIND is '9000': use host:port" in running.error
