"""Logging: one JSON object a line on stdout, readable lines or a file when asked for."""

from __future__ import annotations

import json
import os
import re

import pytest

LOG = """
import django, logging
django.setup()
logger = logging.getLogger("shop")
logger.info("bought %s", "ünïcode\\nand more", extra={"user_id": 7, "what": object})
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("failed")
"""
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.mark.proves("Logs go to stdout as JSON; files only on demand")
def test_json_lines_on_stdout(run, backend, production):
    result = run(backend, production, "-c", LOG)
    assert result.stderr == ""
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert list(first)[:4] == ["timestamp", "level", "logger", "message"]
    assert TIMESTAMP.fullmatch(first["timestamp"])
    assert (first["level"], first["logger"]) == ("INFO", "shop")
    assert first["message"] == "bought ünïcode\nand more"
    assert first["user_id"] == 7
    assert "ZeroDivisionError" in second["exc_info"]


def test_timestamps_are_utc(run, backend, production):
    code = (
        "import logging; from config.log import JsonLines; "
        "print(JsonLines().format(logging.makeLogRecord({'created': 0.25})))"
    )
    result = run(backend, {**production, "TZ": "Asia/Tokyo"}, "-c", code)
    assert json.loads(result.stdout)["timestamp"] == "1970-01-01T00:00:00.250Z"


def test_console_lines(run, backend, production):
    result = run(backend, {**production, "LOG_FORMAT": "Console"}, "-c", LOG)
    assert "INFO shop: bought" in result.stdout
    assert "ZeroDivisionError: division by zero" in result.stdout.splitlines()


@pytest.mark.proves("Logs go to stdout as JSON; files only on demand")
def test_no_files_by_default(run, project, production):
    run(project, production, "-c", LOG)
    assert not (project / "logs").exists()


@pytest.mark.proves("Logs go to stdout as JSON; files only on demand")
def test_log_file_on_demand(run, project, production):
    result = run(project, {**production, "DJANGO_LOG_TO_FILES": "1", "LOG_FORMAT": "console"}, "-c", LOG)
    lines = (project / "logs/django.log").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["bought ünïcode\nand more", "failed"]
    assert "INFO shop: bought" in result.stdout


def test_log_directory_that_cannot_be_written(run, project, production):
    (project / "logs").write_text("in the way")
    result = run(project, {**production, "DJANGO_LOG_TO_FILES": "1"}, "manage.py", "check")
    assert result.returncode == 10
    (line,) = result.stderr.splitlines()
    assert line.startswith("DJANGO_LOG_TO_FILES is on, but ")
    assert "mount a writable volume there" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_log_directory_without_permission(run, project, production):
    (project / "logs").mkdir(mode=0o555)
    result = run(project, {**production, "DJANGO_LOG_TO_FILES": "1"}, "manage.py", "check")
    assert result.returncode == 10
    assert "(Permission denied)" in result.stderr


@pytest.mark.proves("A request to an unknown host is one WARNING, without a traceback")
def test_requests_that_fail_are_logged_once_and_whole(server):
    """A request for an unknown host, with production's settings: one JSON line, no request object in it."""
    before = len(server.log.read_text().splitlines())
    assert server.request("/", Host="unknown.example", X_Forwarded_Proto="https").status == 400
    lines = server.log.read_text().splitlines()[before:]
    records = [json.loads(line) for line in lines if line.startswith("{")]
    (record,) = records
    assert (record["logger"], record["level"]) == ("django.security.DisallowedHost", "WARNING")
    assert "'unknown.example'" in record["message"]
    # Every scanner that comes by sends such a request: no traceback, and no request object.
    assert not {"request", "exc_info", "exc_text"} & {name for name, value in record.items() if value}
    assert "Traceback" not in "".join(lines)


LOGINS = """
import django; django.setup()
from django.test import Client
client = Client(headers={"host": "api.example.com", "x-forwarded-proto": "https"}, REMOTE_ADDR="192.0.2.7")
client.post("/admin/login/", {"username": "chef\\nFORGED", "password": "Tr0ub4dor-guess"})
client.post("/admin/login/", {"username": "x" * 5000, "password": "x"}, headers={"x-forwarded-for": "::1"})
"""


@pytest.mark.proves("Failed logins leave a record without the password")
def test_failed_logins_leave_address_and_name_but_no_password(server, run, production, database_variables):
    result = run(server.directory, {**production, **database_variables}, "-c", LOGINS)
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    first, second = (record for record in records if record["logger"] == "core.logins")
    assert (first["level"], first["remote_addr"], first["user"]) == ("WARNING", "192.0.2.7", "chef\nFORGED")
    assert r"'chef\nFORGED' from 192.0.2.7" in first["message"]
    assert "Tr0ub4dor" not in result.stdout + result.stderr
    assert (second["remote_addr"], second["forwarded_for"]) == ("192.0.2.7", "::1")
    assert len(second["user"]) <= 150
