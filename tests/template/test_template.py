"""The project that `nix flake init -t` gives: its image's parts, booted as `nix run` does."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 120.0  # seconds after which the test gives up


class Server:
    """The template's project, running on a PostgreSQL of its own."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.log = directory / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [os.environ["RUN"], "--port", str(self.port)], cwd=directory, stdout=log, stderr=log
            )

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.get("/api/health/")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("template"))
    running.wait()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_health(server):
    assert server.get("/api/health/") == (200, b'{"status": "ok"}')


def test_the_admin_and_its_style_sheet(server):
    status, page = server.get("/admin/login/")
    assert status == 200
    style = page.split(b'href="/static/admin/css/base.')[1].split(b'"')[0].decode()
    assert server.get(f"/static/admin/css/base.{style}")[0] == 200
    assert server.get("/static/admin/css/base.css")[0] == 200


def test_its_migration_was_applied(server):
    assert "Applying notes.0001_initial." in server.log.read_text()


def test_models_and_migrations_agree(tmp_path):
    command = [os.environ["PYTHON"], "manage.py", "makemigrations", "--check", "--dry-run"]
    result = subprocess.run(
        command,
        cwd=os.environ["PROJECT"],
        env={"DEBUG": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_stops_when_asked(server):
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0
