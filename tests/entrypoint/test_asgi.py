"""An ASGI application, served by gunicorn's own worker under the same contract as WSGI."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import struct
import threading
import time

import pytest

from bench.websocket import CLOSE, TEXT, connect, hear, say, websocket
from tests.entrypoint.booting import PATIENCE, Boot, both, children
from tests.entrypoint.test_boot_serve import established, refuses

APPLICATION = """
import asyncio
from django.core.asgi import get_asgi_application

django = get_asgi_application()

async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await django(scope, receive, send)
    else:
        raise ValueError(scope["type"])

async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"] + "!"})
"""
VIEWS = """
import asyncio
from django.http import StreamingHttpResponse

async def stream(request):
    async def pieces():
        for number in range(5):
            yield f"{number}\\n"
            await asyncio.sleep(float(request.GET.get("pause", 0)))
    return StreamingHttpResponse(pieces())

async def napping(request):
    await asyncio.sleep(float(request.GET["seconds"]))
    return HttpResponse("finished")

def upload(request):
    return HttpResponse(str(len(request.body)))

async def large(request):
    return HttpResponse(bytes(6_000_000))

urlpatterns += [path("stream/", stream), path("napping/", napping), path("upload/", upload), path("large/", large)]
"""
MANY = 30


@pytest.fixture
def served(boot, project) -> Boot:
    """One worker."""
    project.write("config/asgi.py", APPLICATION)
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + VIEWS)
    project.add_setting("DATA_UPLOAD_MAX_MEMORY_SIZE = None")
    return boot(ASGI_APPLICATION="config.asgi:application", MAX_REQUEST_BODY="1").serving()


def clean(server: Boot) -> bool:
    """Whether nothing went wrong, as far as the log knows."""
    return not server.messages(level="ERROR") and "Traceback" not in server.output


@pytest.mark.proves("ASGI is served under the same contract")
def test_requests_records_and_static_files(served):
    assert served.get("/about/").status == 200
    assert served.get("/stream/").body == b"0\n1\n2\n3\n4\n"
    served.until(lambda: "/stream/" in [each.get("path") for each in served.records])  # after its answer
    (record,) = [each for each in served.records if each.get("path") == "/stream/"]
    assert record["logger"] == "gunicorn.access"
    assert (record["method"], record["status"], record["remote_addr"]) == ("GET", 200, "127.0.0.1")
    assert isinstance(record["duration_ms"], float)
    answer = served.get("/about/", **{"X-Request-ID": "one-of-mine"})
    assert answer.headers["X-Request-ID"] == "one-of-mine"
    served.until(lambda: "one-of-mine" in [each.get("request_id") for each in served.records])
    assert clean(served)
    assert served.stop() == 0
    assert clean(served)


@pytest.mark.proves("ASGI is served under the same contract")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_websockets_are_told_that_the_server_goes_away(served, number):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(websocket(served.address, "/echo/")) for _ in range(5)]
        for client in clients:
            say(client, b"hello")
            assert hear(client) == (TEXT, b"hello!")
        served.process.send_signal(number)
        assert [hear(client) for client in clients] == [(CLOSE, struct.pack("!H", 1001))] * 5
    assert served.exit_code() == 0
    assert [each["status"] for each in served.records if each.get("path") == "/echo/"] == [101] * 5
    assert clean(served)


@pytest.mark.proves("ASGI is served under the same contract")
def test_requests_in_flight_are_finished(served):
    answers = []
    asking = [
        threading.Thread(target=lambda path=path: answers.append(served.get(path).body))
        for path in ["/napping/?seconds=3", "/stream/?pause=0.6"] * 4
    ]
    idle = http.client.HTTPConnection(served.address, timeout=PATIENCE)
    idle.request("GET", "/about/")
    idle.getresponse().read()
    for each in asking:
        each.start()
    before = len(children(served.process.pid))
    served.until(lambda: before == 1 and all(each.is_alive() for each in asking))
    # All have been sent once one that is sent after them is answered.
    assert served.get("/about/").status == 200
    served.process.send_signal(signal.SIGTERM)
    for each in asking:
        each.join()
    assert sorted(answers) == [b"0\n1\n2\n3\n4\n"] * 4 + [b"finished"] * 4
    assert served.exit_code() == 0
    assert clean(served)


@pytest.mark.proves("A body that is too large is refused before it is read")
def test_a_body_of_unknown_length_is_counted(served):
    def post(kilobytes: int) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(served.address, timeout=PATIENCE)
        with contextlib.suppress(ConnectionError):  # it need not take all of it
            connection.request(
                "POST", "/upload/", body=(bytes(1024) for _ in range(kilobytes)), encode_chunked=True
            )
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert post(1024) == (200, b"1048576")
    assert post(1025) == (413, b"A request may have 1 MB.\n")
    assert clean(served)


def test_a_client_that_goes_away(served):
    """It is no failure of the server's."""
    with connect(served.address) as client:
        client.sendall(b"GET /napping/?seconds=600 HTTP/1.1\r\nHost: x\r\n\r\n")
        served.until(lambda: established(served))
        assert served.get("/about/").status == 200  # sent later: that one's view has begun
    served.until(lambda: "/napping/" in [each.get("path") for each in served.records])
    assert [each["status"] for each in served.records if each.get("path") == "/napping/"] == [499]
    assert clean(served)


@both
def test_a_static_file(boot, project):
    """By the middleware that most projects use."""
    project.add_setting("MIDDLEWARE.insert(0, 'whitenoise.middleware.WhiteNoiseMiddleware')")
    running = boot().serving()
    url = json.loads(running.get("/about/").body)["url"]
    answer = running.get(url)
    assert (answer.status, answer.headers["Content-Type"]) == (200, 'text/css; charset="utf-8"')
    assert answer.body == (project.static / url.removeprefix("/static/")).read_bytes()
    assert "immutable" in answer.headers["Cache-Control"]
    assert running.get("/static/shop/nowhere.css").status == 404
    assert clean(running)


WITHOUT_END = """
import asyncio

async def without_end(request):
    waiting(request)
    await asyncio.sleep(600)

urlpatterns += [path("without_end/", without_end)]
"""


@pytest.mark.parametrize("kind", ["asgi"], indirect=True)
def test_what_takes_too_long_is_cut_off(boot, project):
    """Before the master would kill the worker, though its event loop has heard late of the signal."""
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + WITHOUT_END)
    running = boot(GUNICORN_GRACEFUL_TIMEOUT="4").serving()
    with connect(running.address) as client:
        client.sendall(b"GET /without_end/ HTTP/1.1\r\nHost: x\r\n\r\n")
        running.until(lambda: established(running))
        running.process.send_signal(signal.SIGTERM)
        running.until(lambda: refuses(running))
        time.sleep(1)
        project.write("go", "")
        assert running.exit_code() == 0
        assert client.recv(1) == b""
    assert running.messages(level="WARNING") == ["Cut off after the grace period: 1 connections."]
    assert running.messages(level="ERROR") == []


def test_an_application_that_cannot_be_imported(boot, project):
    project.write("config/asgi.py", "import nowhere\n")
    running = boot(ASGI_APPLICATION="config.asgi:application")
    assert running.exit_code() == 18
    assert "The application config.asgi:application cannot be imported: ModuleNotFoundError" in running.error
