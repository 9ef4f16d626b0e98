"""A failed request is never part of a figure."""

from __future__ import annotations

import contextlib
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from bench import throughput
from bench.lab import BenchError
from bench.report import as_table


@contextlib.contextmanager
def server(fails=None, good=0):
    """A server on loopback; its port. After `good` requests every third one `fails`, if told how."""
    numbers = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            number = next(numbers)
            failed = fails and number > good and number % 3 == 0
            if failed and fails == "closes":
                return
            self.send_response(500 if failed else 200)
            self.end_headers()
            self.wfile.write(b"answer")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http.server_port
        http.shutdown()


def test_a_burst_without_failures_is_measured():
    with server() as port:
        assert throughput.burst(port, "/", throughput.BURST) > 0


@pytest.mark.parametrize(("fails", "reason"), [("500", "HTTP/1.1 500"), ("closes", "nothing")])
def test_a_burst_with_a_failure_is_none(fails, reason):
    with server(fails) as port, pytest.raises(BenchError, match=f"/some/path answered {reason}"):
        throughput.burst(port, "/some/path", throughput.BURST)


def test_the_row_says_why_instead_of_a_figure(monkeypatch):
    """Samples of before the failure are no figure either."""
    with server() as inside, server("500", good=throughput.WARM_UP + 50) as outside:

        @contextlib.contextmanager
        def given(value):
            yield value

        monkeypatch.setattr(throughput, "require_docker", lambda: None)
        monkeypatch.setattr(throughput, "loaded", lambda image: given("number"))
        monkeypatch.setattr(throughput, "servers", lambda *_: given((inside, outside)))
        lab = SimpleNamespace(site=lambda *_, **__: None)
        rows = throughput.rows(lab, None, times=1, turns=1)  # it fails at the second path
    assert all("answered HTTP/1.1 500" in row.not_measured for row in rows)
    assert all(row.ours == row.theirs == [] for row in rows)
    for line in as_table(rows).splitlines()[2:]:
        assert "not measured: " in line
        assert "/s " not in line.replace("requests/s", "")
