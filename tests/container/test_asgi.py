"""The image of a project whose flake says `asgiApplication`: requests, a stream, a websocket, and its end."""

from __future__ import annotations

import http.client
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.websocket import CLOSE, TEXT, hear, say, websocket
from tests.container import images as building
from tests.container.engine import PATIENCE, ROOT, docker
from tests.container.lab import unique

APPLICATION = """
from django.core.asgi import get_asgi_application

django = get_asgi_application()

async def application(scope, receive, send):
    if scope["type"] != "websocket":
        await django(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"] + "!"})
"""
STREAM = """
import asyncio, pathlib
from django.http import StreamingHttpResponse

async def stream(request):
    async def pieces():
        yield "begun "
        while not pathlib.Path("/tmp/go").exists():
            await asyncio.sleep(0.01)
        yield "finished"
    return StreamingHttpResponse(pieces())

urlpatterns.append(path("stream/", stream))
"""


@pytest.fixture(scope="module")
def asgi(images, tmp_path_factory) -> Iterator[str]:
    """The image."""
    tree = building.copy_with(
        tmp_path_factory.mktemp("asgi") / "asgi", 'asgiApplication = "config.asgi:application";'
    )
    config = tree / "backend/config"
    (config / "asgi.py").write_text(APPLICATION)
    with (config / "urls.py").open("a") as urls:
        urls.write(STREAM)
    tag = f"{unique('asgi')}:latest"
    yield building.load_aside(building.build("image", tree), tag)
    docker("rmi", "--force", tag, check=False)


@pytest.mark.proves("ASGI is served under the same contract")
def test_an_image_that_serves_asgi(lab, database, asgi):
    options = ("--publish", "127.0.0.1::8000", "--read-only", "--tmpfs", "/tmp")
    backend = lab.backend(image=asgi, options=options, HTTPS_ONLY="0", **database.environment)
    backend.start().until_answers().until_healthy()
    style = Path(ROOT / "backend/core/static/core/site.css").read_bytes()
    assert backend.get("/static/core/site.css").body == style
    assert backend.get("/api/meals/", X_Request_ID="mine").headers["x-request-id"] == "mine"

    address = f"127.0.0.1:{backend.port}"
    streaming = http.client.HTTPConnection(address, timeout=PATIENCE)
    streaming.request("GET", "/stream/")
    stream = streaming.getresponse()
    assert stream.read(6) == b"begun "
    with websocket(address, "/anywhere/") as client:
        say(client, b"hello")
        assert hear(client) == (TEXT, b"hello!")
        stopping = threading.Thread(target=backend.stop)
        stopping.start()
        assert hear(client) == (CLOSE, struct.pack("!H", 1001))
    backend.execute("touch", "/tmp/go")
    assert stream.read() == b"finished"
    stopping.join()
    assert backend.state["ExitCode"] == 0

    seen = {(each["path"], each["status"]) for each in backend.records if each["logger"] == "gunicorn.access"}
    assert {("/api/meals/", 200), ("/stream/", 200), ("/anywhere/", 101)} <= seen
    assert [each for each in backend.records if each["level"] == "ERROR"] == []
