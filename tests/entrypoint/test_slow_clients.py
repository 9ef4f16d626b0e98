"""Clients that send and read slowly: one worker serves the others meanwhile, and the slow ones rightly."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.entrypoint.booting import PATIENCE, Boot, Project, both
from tests.entrypoint.test_boot_serve import refuses

HALVES = {
    "silent": b"",
    "head": b"GET /about/ HTTP/1.1\r\nHost: x\r\nX-Half",
    "body": b"POST /digest/ HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\nhalf of it",
    "chunked": b"POST /digest/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf of it",
}
MANY = 30
SIZE = 6_000_000  # more than the kernel takes for a client that does not read
VIEWS = """
import hashlib, io
from django.http import FileResponse, StreamingHttpResponse

CONTENT = bytes(range(256)) * (6_000_000 // 256)
FILE = os.path.join(os.path.dirname(__file__), "large.bin")
with open(FILE, "wb") as file:
    file.write(CONTENT)

def digest(request):
    return HttpResponse(hashlib.sha256(request.body).hexdigest())

def large(request, kind):
    if kind == "file":
        return FileResponse(open(FILE, "rb"))
    if kind == "bytes":
        return HttpResponse(CONTENT)
    return StreamingHttpResponse(CONTENT[at:at + 1000] for at in range(0, len(CONTENT), 1000))

urlpatterns += [path("digest/", digest), path("large/<kind>/", large)]
"""
CONTENT = bytes(range(256)) * (SIZE // 256)


@pytest.fixture
def views(project: Project) -> None:
    """Views that read and write much."""
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + VIEWS)


@pytest.fixture
def served(boot, views) -> Boot:
    """A server with one worker, and these views."""
    return boot().serving()


@contextlib.contextmanager
def connection(server: Boot, sending: bytes, receives: int = 0) -> Iterator[socket.socket]:
    host, _, port = server.address.rpartition(":")
    with socket.socket() as client:
        if receives:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        client.settimeout(PATIENCE)
        client.connect((host, int(port)))
        client.sendall(sending)
        yield client


def answer(client: socket.socket) -> tuple[bytes, bytes]:
    """The status line and the body of the last answer, read until its end."""
    data = bytearray()
    while piece := client.recv(65536):
        data += piece
    head, _, body = (
        bytes(data).rpartition(b"\r\n\r\n") if b"100 Continue" in data else data.partition(b"\r\n\r\n")
    )
    return bytes(head).rpartition(b"HTTP/1.")[2].partition(b"\r\n")[0][2:], bytes(body)


@pytest.mark.proves("Slow clients stop nobody else")
@both
@pytest.mark.parametrize("half", HALVES)
def test_half_requests_do_not_occupy_the_worker(boot, views, half):
    served = boot(GUNICORN_GRACEFUL_TIMEOUT="1").serving()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connection(served, HALVES[half])) for _ in range(MANY)]
        for _ in range(3):
            assert served.get("/about/").status == 200
        if half == "head":  # a head has ten seconds
            assert answer(clients[0])[0] == b"408 Request Timeout"
        assert served.stop() == 0


@pytest.mark.proves("Slow clients stop nobody else")
@both
@pytest.mark.parametrize("what", ["file", "bytes"])
def test_answers_that_nobody_takes_do_not_occupy_the_worker(served, what):
    request = f"GET /large/{what}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        # The server keeps no more than some of the bytes of those that are in memory.
        clients = [stack.enter_context(connection(served, request, 4096)) for _ in range(MANY)]
        for _ in range(3):
            assert served.get("/about/").status == 200
        assert answer(clients[-1]) == (b"200 OK", CONTENT)


@pytest.mark.proves("Slow clients stop nobody else")
def test_an_answer_made_bit_by_bit_is_cut_off(served):
    """It cannot be kept as a whole: its client holds the worker for seconds, and then no more."""
    with connection(served, b"GET /large/stream/ HTTP/1.0\r\n\r\n", 4096):
        assert served.get("/about/").status == 200
    with connection(served, b"GET /large/stream/ HTTP/1.0\r\n\r\n") as client:
        assert answer(client) == (b"200 OK", CONTENT)


BODY = b"".join(b"%d of the body\n" % number for number in range(40_000))


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.proves("Slow clients stop nobody else")
@both
def test_a_request_that_arrives_in_pieces_is_read_as_it_was_sent(served):
    head = b"POST /digest/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    data = head % len(BODY) + BODY
    for cut in (1, 3, 60, 200, 70_000, 130_000, 300_000):
        with connection(served, data[:cut]) as client:
            assert served.get("/about/").status == 200
            client.sendall(data[cut : 2 * cut])
            assert served.get("/about/").status == 200
            client.sendall(data[2 * cut :])
            assert answer(client) == (b"200 OK", hashlib.sha256(BODY).hexdigest().encode()), cut


@both
def test_a_client_that_asks_whether_to_send_its_body(served):
    head = b"POST /digest/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with connection(served, head % len(BODY)) as client:
        assert client.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert answer(client) == (b"200 OK", hashlib.sha256(BODY).hexdigest().encode())


@pytest.mark.proves("Requests in flight are finished")
@both
def test_sigterm_while_a_request_arrives_and_an_answer_leaves(served):
    head = b"POST /digest/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    with (
        connection(served, head) as sending,
        connection(served, b"GET /large/file/ HTTP/1.1\r\nHost: x\r\n\r\n", 4096) as reading,
        connection(served, b"GET /about/ HTTP/1.1\r\nHo"),
    ):
        assert served.get("/about/").status == 200  # the others have been accepted
        served.process.send_signal(signal.SIGTERM)
        served.until(lambda: refuses(served))
        time.sleep(0.5)
        sending.sendall(b"body")
        assert answer(sending) == (b"200 OK", hashlib.sha256(b"body").hexdigest().encode())
        assert answer(reading) == (b"200 OK", CONTENT)
    assert served.exit_code() == 0


def test_threads_are_gunicorns_own_matter(boot, project):
    project.write("gunicorn_config.py", "threads = 2\n")
    running = boot().serving()
    assert running.get("/about/").status == 200
    assert "Using worker: gthread" in running.messages(logger="gunicorn.error")
    assert running.stop() == 0
