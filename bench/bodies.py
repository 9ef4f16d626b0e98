"""One large body, sent by a stranger, and what it takes of the server's temporary directory, which often is memory."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from bench.lab import Site, get
from bench.subject import Subject

SIZE = 446_000_000  # bytes
PIECE = bytes(1 << 20)
HEAD = (
    b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    b"Cookie: csrftoken=abcdefghijklmnopqrstuvwxyz012345\r\n"  # Django would not read the body without one
    b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n"
)
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'


def prepare(site: Site) -> None:
    """Give the server a temporary directory of its own."""
    folder = site.folder / "temporary"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    site.environment["TMPDIR"] = str(folder)


def large(subject: Subject) -> str:
    """Send the body, all but its end, look at the temporary directory, and go."""
    answer, sent = b"", 0
    with socket.create_connection(("127.0.0.1", subject.port), timeout=30) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(HEAD % SIZE + PART)
            while sent + 2 * len(PIECE) < SIZE:
                connection.sendall(PIECE)
                sent += len(PIECE)
        files = used(Path(subject.site.environment["TMPDIR"]))
        connection.settimeout(3)
        with contextlib.suppress(OSError):
            answer = connection.recv(100)
    status = answer.partition(b"\r\n")[0].decode().removeprefix("HTTP/1.1 ") or "no answer yet"
    others = get(subject.port, "/api/health/live/").partition(b"\r\n")[0].decode().removeprefix("HTTP/1.1 ")
    return f"{status}; {files / 1e6:.0f} MB in the temporary directory; then {others} to others"


def used(folder: Path) -> int:
    """Bytes of all files there."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
