"""The project that `nix flake init -t` gives: its image's parts, booted as `nix run` does."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from local_env import make_environment
from tests.running import free_port

PATIENCE = 120.0  # seconds after which the test gives up


class Server:
    """The template's project, running on a PostgreSQL of its own."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
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


def test_the_variables_lead_to_its_database(server):
    """A project that reads DATABASE_URL finds there what one finds that reads POSTGRES_*."""
    (child,) = (
        pid
        for pid in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        if b"DATABASE_URL=" in Path(f"/proc/{pid}/environ").read_bytes()
    )
    environ = dict(
        entry.split("=", 1)
        for entry in Path(f"/proc/{child}/environ").read_text().split("\0")
        if "=" in entry
    )
    for address in (
        {"dsn": environ["DATABASE_URL"]},
        {
            "host": environ["POSTGRES_HOST"],
            "port": environ["POSTGRES_PORT"],
            "dbname": environ["POSTGRES_DB"],
            "user": environ["POSTGRES_USER"],
            "password": environ["POSTGRES_PASSWORD"],
        },
    ):
        with contextlib.closing(psycopg2.connect(**address)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'notes'")
            assert cursor.fetchone() == (1,)


def test_what_is_set_wins_unless_it_leads_elsewhere():
    known = {"origin": "http://127.0.0.1:1", "database_host": "here", "address": "a", "admin_password": "p"}
    template = {"DB": "@database_host@:@unknown@", "ORIGIN": "@origin@", "MAIL": "a@b"}
    made = make_environment(template, known, {"DB": "production", "ORIGIN": "mine", "PATH": "/bin"})
    assert made["DB"] == "here:@unknown@"
    assert (made["ORIGIN"], made["MAIL"], made["PATH"]) == ("mine", "a@b", "/bin")
    assert made["DJANGO_SUPERUSER_EMAIL"] == "admin@localhost"


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


def test_the_password_of_its_compose_file_is_one_that_its_settings_allow():
    compose = (Path(__file__).resolve().parents[2] / "templates/default/compose.yaml").read_text()
    username = re.search(r"DJANGO_SUPERUSER_USERNAME: (\S+)", compose)[1]
    password = re.search(r"\$\{DJANGO_SUPERUSER_PASSWORD:-(.+)\}", compose)[1]
    validate = (
        "from django.contrib.auth.models import User\n"
        "from django.contrib.auth.password_validation import get_default_password_validators, validate_password\n"
        "assert get_default_password_validators()\n"
        f"validate_password({password!r}, User(username={username!r}, email='admin@example.org'))"
    )
    result = subprocess.run(
        [os.environ["PYTHON"], "manage.py", "shell", "-c", validate],
        cwd=os.environ["PROJECT"],
        env={"DEBUG": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_it_stops_when_asked(server):
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0
