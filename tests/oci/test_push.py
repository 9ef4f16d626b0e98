"""What `nix run .#push` says when it cannot push: one sentence, and an exit code that docs/registries.md lists.

No registry takes part; what one does is tested in tests/registry.
"""

from __future__ import annotations

import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATIENCE = 120


def run(push, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([push, *arguments], capture_output=True, text=True, timeout=PATIENCE)


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence with which it ended."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    *_, sentence = done.stderr.splitlines()
    assert done.stderr.count("push: ") <= 2, done.stderr  # what it is about to do, and why it did not
    assert sentence.startswith("push: ")
    return sentence


def test_no_destination(push):
    assert "say where to: docker://HOST/NAME:TAG" in refused(run(push), 2)


@pytest.mark.parametrize(
    "destination",
    [
        "",
        "backend",
        "registry.example.com/team/backend:1.0",
        "docker://",
        "docker://team/backend:1.0",  # would be Docker Hub, where nobody expects it
        "docker://registry.example.com",
        "docker://registry.example.com/",
        "docker://registry.example.com/Team/backend",
        "docker://registry.example.com/team/backend:",
        "docker://registry.example.com/team/backend:1.0 ",
        "docker://registry.example.com/team//backend",
        "docker://registry.example.com:port/backend",
        "dir:/tmp/backend",
        "--dest-tls-verify=false",
        "docker://registry.example.com/team/backend:" + 129 * "1",
    ],
)
def test_malformed_destination(push, destination):
    sentence = refused(run(push, destination), 2)
    assert f'"{destination}" is not a destination' in sentence


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(blacklist_characters="\0@", blacklist_categories=["Cs"])))
def test_whatever_is_no_destination_gets_that_exit_code(push, text):
    done = run(push, text)
    assert done.returncode == (0 if text in ("-h", "--help") else 2)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "destination",
    [
        "docker://ann:hunter2@registry.example.com/team/backend:1.0",
        "docker://registry.example.com/team/backend@sha256:" + 64 * "0",
    ],
)
def test_credentials_are_not_part_of_a_destination_and_not_repeated(push, destination):
    done = run(push, destination)
    assert "neither credentials nor a digest" in refused(done, 2)
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "options", [["--nonsense"], ["--dest-cert-dir"], ["docker://second.example.com/image"]]
)
def test_options_that_skopeo_does_not_take(push, options):
    sentence = refused(run(push, "docker://127.0.0.1:1/team/backend:1.0", *options), 2)
    assert "skopeo does not take these options" in sentence


def test_nobody_listens(push):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        sentence = refused(run(push, f"docker://{host}/team/backend:1.0"), 3)
    assert sentence.startswith(f"push: {host} cannot be reached: ")
    assert "connection refused" in sentence


def test_no_such_host(push):
    """RFC 6761, 6.4: "invalid" never resolves."""
    sentence = refused(run(push, "docker://registry.invalid/team/backend:1.0"), 3)
    assert sentence.startswith("push: registry.invalid cannot be reached: ")


class NotFound(socketserver.StreamRequestHandler):
    """Answers whatever comes as a web server would that has nothing there."""

    def handle(self) -> None:
        self.connection.recv(4096)
        self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def plain_http() -> Iterator[str]:
    """A server that is no registry, and speaks no TLS."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_plain_http_is_not_used_unasked(push, plain_http):
    sentence = refused(run(push, f"docker://{plain_http}/team/backend:1.0"), 3)
    assert "--dest-tls-verify=false" in sentence


def test_no_registry(push, plain_http):
    sentence = refused(run(push, f"docker://{plain_http}/team/backend:1.0", "--dest-tls-verify=false"), 3)
    assert sentence.startswith(f"push: {plain_http} cannot be reached: ")


def test_help(push):
    done = run(push, "--help")
    assert done.returncode == 0
    assert "docker://HOST" in done.stdout
