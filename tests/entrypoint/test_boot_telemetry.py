"""OpenTelemetry with its own exporter, which writes into a file, in a project that has it installed."""

from __future__ import annotations

import http.client
import json
import os
import signal
from typing import Any

import pytest

from tests.entrypoint.booting import PATIENCE, both, children
from tests.entrypoint.test_boot_outage import VIEWS, until_asleep

pytest.importorskip(
    "opentelemetry.distro", reason="OpenTelemetry is in the environment of nix develop and flake check"
)
pytest.importorskip("opentelemetry.instrumentation.django")
pytest.importorskip("opentelemetry.instrumentation.asgi")

# Spans go into a file, each with the process in which the exporter was made.
EXPORTER = """
import json, os
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

class FileExporter(ConsoleSpanExporter):
    def __init__(self):
        made_in = os.getpid()

        def line(span):
            said = {"made_in": made_in, "pid": os.getpid(), "name": span.name, "kind": span.kind.name}
            return json.dumps(said | {"is_part": span.parent is not None} | dict(span.attributes)) + "\\n"

        super().__init__(out=open("spans.jsonl", "a"), formatter=line)
"""
ENTRY_POINT = "[opentelemetry_traces_exporter]\nfile = exporter:FileExporter\n"
VARIABLES = {
    "OTEL_TRACES_EXPORTER": "file",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    # The names of attributes that are stable.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
}


@pytest.fixture
def spans(project):
    """Installs the exporter; gives a function that tells which spans there are, but for those of /api/health/."""
    project.write("exporter.py", EXPORTER)
    project.write("exporter-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: exporter\nVersion: 1\n")
    project.write("exporter-1.dist-info/entry_points.txt", ENTRY_POINT)
    file = project.directory / "spans.jsonl"

    def read() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [span for span in found if span["name"] != "GET api/health/"]

    return read


@both
@pytest.mark.proves("OpenTelemetry starts in the workers, after the fork")
def test_spans_of_each_worker(boot, spans):
    running = boot(**VARIABLES, WEB_CONCURRENCY="2").serving()
    first = children(running.process.pid)

    def traced() -> set[int]:
        running.get("/about/")
        return {span["made_in"] for span in spans()}

    running.until(lambda: traced() == set(first))
    assert running.messages(level="ERROR") == []
    os.kill(first[0], signal.SIGKILL)
    running.until(lambda: traced() - set(first))
    assert all(span["made_in"] == span["pid"] != running.process.pid for span in spans())


@both
def test_a_span_of_each_request(boot, spans):
    """They are exported at the end, if not before."""
    running = boot(**VARIABLES | {"OTEL_BSP_SCHEDULE_DELAY": "600000"}).serving()
    answers = {"/about/": 200, "/slow/?seconds=0": 200, "/nowhere/": 404, "/broken/": 500}
    assert {path: running.get(path).status for path in answers} == answers
    assert running.stop() == 0
    named = ("kind", "is_part", "http.request.method", "url.path", "http.route", "http.response.status_code")
    assert [tuple(span.get(name) for name in named) for span in spans()] == [
        ("SERVER", False, "GET", "/about/", "about/", 200),
        ("SERVER", False, "GET", "/slow/", "slow/", 200),
        ("SERVER", False, "GET", "/nowhere/", None, 404),
        ("SERVER", False, "GET", "/broken/", "broken/", 500),
    ]


@both
def test_a_request_that_is_handled_once_more(boot, project, spans, sql, database):
    """Neither that nor a later request becomes a part of its first attempt."""
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + VIEWS)
    running = boot(**VARIABLES).serving()
    connection = http.client.HTTPConnection(running.address, timeout=PATIENCE)
    connection.request("GET", "/sum/")
    until_asleep(running, sql, database)
    project.write("second", "")
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database)
    assert connection.getresponse().read() == b"3"
    connection.request("GET", "/slow/?seconds=0")
    assert connection.getresponse().read() == b"finished"
    assert running.get("/about/").status == 200
    assert running.stop() == 0
    assert [(span["name"], span["kind"], span["is_part"]) for span in spans()][-3:] == [
        ("GET sum/", "SERVER", False),
        ("GET slow/", "SERVER", False),
        ("GET about/", "SERVER", False),
    ]


def test_only_if_it_is_asked_for(boot, spans):
    running = boot(**VARIABLES, OTEL_SDK_DISABLED="true").serving()
    assert running.stop() == 0
    assert spans() == []
    without = boot(OTEL_TRACES_EXPORTER="").serving()
    assert without.stop() == 0
    assert spans() == []
