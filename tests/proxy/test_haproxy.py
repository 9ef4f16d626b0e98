"""deploy/haproxy.cfg in a real HAProxy, without TLS, in front of a server that counts what reaches it."""

from __future__ import annotations

import http.client
import http.server
import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import free_port, until

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy/haproxy.cfg"
LOGIN = "/admin/login/"
ALLOWED = 20  # a minute


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers 200 to whatever it is asked, and counts it."""

    protocol_version = "HTTP/1.1"
    seen: Counter[tuple[str, str]]

    def do_GET(self) -> None:
        self.seen[self.command, self.path] += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Proxy:
    def __init__(self, port: int, seen: Counter[tuple[str, str]]) -> None:
        self.port = port
        self.seen = seen

    def status(self, method: str, path: str, source: str = "127.0.0.1", length: int = 0) -> int:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=(source, 0)
        )
        connection.request(method, path, headers={"Content-Length": str(length)})
        status = connection.getresponse().status
        connection.close()
        return status

    def answers(self) -> bool:
        try:
            return self.status("GET", "/") == 200
        except OSError:
            return False


def configuration(port: int, backend: int) -> str:
    """The file, but that it is on one loopback port, without a certificate, and without Docker's DNS."""
    text = Path(os.environ.get("CONFIGURATION", CONFIGURATION)).read_text()
    for pattern, replacement in (
        (r"^frontend http\n(  .*\n)+", ""),
        (r"bind :8443 ssl .*", f"bind 127.0.0.1:{port}"),
        (r"server-template .*", f"server one 127.0.0.1:{backend}"),
    ):
        text, found = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert found == 1, pattern
    return text


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    if not os.environ.get("HAPROXY"):
        pytest.skip("HAPROXY is not set: nix build .#checks.x86_64-linux.proxy sets it")
    seen: Counter[tuple[str, str]] = Counter()
    handler = type("Counting", (Backend,), {"seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration(port, server.server_address[1]))
    process = subprocess.Popen([os.environ["HAPROXY"], "-db", "-f", str(file)])
    proxy = Proxy(port, seen)
    try:
        until(lambda: process.poll() is not None or proxy.answers(), "an answer")
        assert process.poll() is None
        yield proxy
    finally:
        process.terminate()
        process.wait(60)
        server.shutdown()
        server.server_close()


@pytest.mark.proves("Guessing passwords is limited by address, in Swarm's proxy")
def test_guessing_passwords_is_limited_by_address(proxy):
    statuses = Counter(proxy.status("POST", LOGIN) for _ in range(ALLOWED + 10))
    assert statuses == {200: ALLOWED, 429: 10}
    assert proxy.seen["POST", LOGIN] == ALLOWED
    assert proxy.status("POST", "/%61dmin/login/") == 429
    assert proxy.status("POST", f"{LOGIN}?next=/admin/") == 429
    # Neither others, nor what else that address wants.
    assert proxy.status("POST", LOGIN, source="127.0.0.2") == 200
    assert proxy.status("GET", LOGIN) == 200
    assert proxy.status("POST", "/admin/meals/meal/add/") == 200


@pytest.mark.proves("A body that is too large is refused before it is read")
def test_a_body_that_is_too_large_does_not_reach_the_backend(proxy):
    assert proxy.status("POST", "/admin/meals/meal/add/", length=(32 << 20) + 1) == 413
    assert proxy.seen["POST", "/admin/meals/meal/add/"] == 0
