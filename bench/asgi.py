"""SIGTERM while an ASGI application has websockets and streaming answers under way."""

from __future__ import annotations

import contextlib
import re
import signal
import struct
import threading
import time
from collections import Counter

from bench.lab import Site, get
from bench.subject import Subject
from bench.websocket import CLOSE, hear, say, websocket

VARIABLES = {"ASGI_APPLICATION": "config.asgi:application"}
EACH = 20  # websockets, and streams
PIECES, PAUSE = 8, 0.5  # of a stream; seconds in between
REQUESTS = 100  # before the signal
BEFORE = 1.0  # seconds from the streams' begin to the signal

APPLICATION = """
import asyncio
from django.core.asgi import get_asgi_application

django = get_asgi_application()

async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    else:
        await django(scope, receive, send)
"""
VIEW = f"""
import asyncio
from django.http import StreamingHttpResponse

async def stream(request):
    async def pieces():
        for number in range({PIECES}):
            yield f"{{number}} "
            await asyncio.sleep({PAUSE})
    return StreamingHttpResponse(pieces())

urlpatterns.append(path("stream/", stream))
"""
LAST = b"\r\n0\r\n\r\n"  # chunk of an answer that is whole
FAULT = re.compile(r'\bERROR\b|"level": "ERROR"|^Traceback', re.MULTILINE)
RECORD = re.compile(r'"GET /api/health/live/|"message": "GET /api/health/live/')


def prepare(site: Site) -> None:
    """Give the project an ASGI application, and a view that streams."""
    (site.folder / "config/asgi.py").write_text(APPLICATION)
    with (site.folder / "config/urls.py").open("a") as urls:
        urls.write(VIEW)


def stopped(subject: Subject) -> str:
    """Ask, open websockets, begin to stream; then stop the server as `docker stop` does, and look into its log."""
    for _ in range(REQUESTS):
        get(subject.port, "/api/health/live/")
    ends: Counter[str] = Counter()

    def listen() -> None:
        end = "cut off"
        with contextlib.suppress(OSError, ValueError), websocket(f"127.0.0.1:{subject.port}", "/") as client:
            say(client, b"hello")
            hear(client)
            if hear(client) == (CLOSE, struct.pack("!H", 1001)):
                end = "closed"
        ends[end] += 1

    def read() -> None:
        answer = b""
        with contextlib.suppress(OSError):
            answer = get(subject.port, "/stream/")
        ends["whole" if answer.endswith(LAST) else "torn"] += 1

    clients = [threading.Thread(target=each) for each in (listen, read) * EACH]
    for client in clients:
        client.start()
    time.sleep(BEFORE)
    began = time.monotonic()
    subject.process.send_signal(signal.SIGTERM)
    code = subject.process.wait()
    took = time.monotonic() - began
    for client in clients:
        client.join()
    log = subject.site.log.read_text(errors="replace")
    return (
        f"{ends['closed']} of {EACH} websockets closed with 1001, {ends['whole']} of {EACH} streams whole; exit code"
        f" {code} after {took:.1f} s; {len(RECORD.findall(log))} of {REQUESTS} requests and {len(FAULT.findall(log))}"
        " faults in the log"
    )
