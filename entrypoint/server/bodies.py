"""Bodies that are too large: refused before they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

MEGABYTE = 1 << 20  # bytes


def limited(application: Callable[..., Iterable[bytes]], most: int) -> Callable[..., Iterable[bytes]]:
    """The WSGI application, but that a request whose body has more than `most` bytes is answered 413.

    Of a body whose length is not told, chunk by chunk, Django reads nothing.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) <= most:
            return application(environ, start_response)
        text = f"A request may have {most // MEGABYTE} MB.\n".encode()
        headers = [
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(text))),
            ("Connection", "close"),
        ]
        start_response("413 Content Too Large", headers)
        return [text]

    return answer
