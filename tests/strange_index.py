"""A Python index (PEP 503, PEP 691) on loopback that answers as no index should, and what it answers."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import threading
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"
FILE = "bad-1.0-py3-none-any.whl"


@dataclass
class Answer:
    """To a request: a status and a body, of which perhaps more is promised than comes; or bytes that are no HTTP."""

    body: bytes = b""
    type: str = HTML
    status: int = 200
    promised: int | None = None
    location: str = ""
    raw: bool = False


def wheel(requires: str | None = "", version: str = "1.0") -> bytes:
    """A wheel that no run before this had; with `requires` None, without METADATA."""
    metadata = f"Metadata-Version: 2.1\nName: bad\nVersion: {version}\nSummary: {uuid.uuid4()}\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("bad.py", "")
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"bad-{version}.dist-info/WHEEL", tag)
        archive.writestr(f"bad-{version}.dist-info/RECORD", "")
        if requires is not None:
            archive.writestr(f"bad-{version}.dist-info/METADATA", metadata + requires)
    return content.getvalue()


def link(file: str, content: bytes, sha256: str = "") -> Answer:
    """The project's page with one file on it."""
    sha256 = sha256 or hashlib.sha256(content).hexdigest()
    return Answer(f'<!DOCTYPE html><a href="/files/{file}#sha256={sha256}">{file}</a>'.encode())


def listing(**hashes: str) -> Answer:
    """The same in JSON."""
    file = {"filename": FILE, "url": f"/files/{FILE}", "hashes": hashes}
    content = {"meta": {"api-version": "1.0"}, "name": "bad", "files": [file]}
    return Answer(json.dumps(content).encode(), JSON)


def cut(answer: Answer) -> Answer:
    """Half of it, of which the other half is promised."""
    half = answer.body[: len(answer.body) // 2]
    return Answer(half, answer.type, promised=len(answer.body))


# The page of a project that is no page, or not one that is of use.
PAGES = {
    "an error": Answer(b"oops", status=500),
    "forbidden": Answer(b"no", status=403),
    "not there": Answer(b"no", status=404),
    "no text": Answer(bytes(range(256)) * 20),
    "no links": Answer(b"<html></html>"),
    "no address": Answer(b'<a href="http://[bad/%s#sha256=zz">%s</a>' % (FILE.encode(), FILE.encode())),
    "half a page": cut(link(FILE, b"")),
    "half of JSON": Answer(listing().body[:70], JSON),
    "other JSON": Answer(b"[]", JSON),
    "no way out": Answer(status=302, location="/simple/bad/"),
    "another protocol": Answer(b"220 ready\r\n", raw=True),
    "another status": Answer(b"HTTP/1.1 two hundred\r\n\r\n", raw=True),
    "silence": Answer(raw=True),
    "another name": link("bad-1.0.whl", b""),
}
# Pages that are right, with files that are not.
FILES = {
    "no zip": b"not a zip",
    "half a wheel": wheel()[:100],
    "no metadata": wheel(None),
    "metadata that cannot be read": wheel("Requires-Dist: ][ nonsense\n"),
    "a condition that means nothing": wheel("Requires-Dist: other; python_version ~= 'nonsense'\n"),
}


@contextlib.contextmanager
def serving(page: Answer, file: Answer | None = None) -> Iterator[str]:
    """The index's address. It has one project, `bad`, with one file."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = page if self.path.startswith("/simple/bad/") else Answer(status=404)
            if self.path.startswith("/files/") and file:
                answer = file
            self.close_connection = True
            if answer.raw:
                self.wfile.write(answer.body)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.type)
            self.send_header(
                "Content-Length", str(len(answer.body) if answer.promised is None else answer.promised)
            )
            self.send_header("Connection", "close")
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that had enough has gone."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()
