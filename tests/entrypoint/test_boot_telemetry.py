"""OpenTelemetry with its own exporter, which writes into a file, in a project that has it installed."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.entrypoint.booting import children

pytest.importorskip(
    "opentelemetry.distro", reason="OpenTelemetry is in the environment of nix develop and flake check"
)
pytest.importorskip("opentelemetry.instrumentation.django")

# Spans go into a file, each with the process in which the exporter was made.
EXPORTER = """
import json, os
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

class FileExporter(ConsoleSpanExporter):
    def __init__(self):
        made_in = os.getpid()
        super().__init__(
            out=open("spans.jsonl", "a"),
            formatter=lambda span: json.dumps({"made_in": made_in, "pid": os.getpid(), "name": span.name}) + "\\n",
        )
"""
ENTRY_POINT = "[opentelemetry_traces_exporter]\nfile = exporter:FileExporter\n"
VARIABLES = {
    "OTEL_TRACES_EXPORTER": "file",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
}


@pytest.fixture
def spans(project):
    """Installs the exporter; gives a function that tells which spans there are."""
    project.write("exporter.py", EXPORTER)
    project.write("exporter-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: exporter\nVersion: 1\n")
    project.write("exporter-1.dist-info/entry_points.txt", ENTRY_POINT)
    file = project.directory / "spans.jsonl"
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.proves("OpenTelemetry starts in the workers, after the fork")
def test_spans_of_each_worker(boot, project, spans):
    running = boot(**VARIABLES, WEB_CONCURRENCY="2").serving()
    first = children(running.process.pid)

    def traced() -> set[int]:
        running.get("/about/")
        return {span["made_in"] for span in spans() if span["name"] == "GET about/"}

    running.until(lambda: traced() == set(first))
    assert running.messages(level="ERROR") == []
    os.kill(first[0], signal.SIGKILL)
    running.until(lambda: traced() - set(first))
    assert all(span["made_in"] == span["pid"] != running.process.pid for span in spans())
    assert running.get("/slow/?seconds=0").status == 200
    assert running.stop() == 0
    assert "GET slow/" in {span["name"] for span in spans()}, "what was not yet exported is, at the end"


def test_only_if_it_is_asked_for(boot, spans):
    running = boot(**VARIABLES, OTEL_SDK_DISABLED="true").serving()
    assert running.stop() == 0
    assert spans() == []
    without = boot(OTEL_TRACES_EXPORTER="").serving()
    assert without.stop() == 0
    assert spans() == []
