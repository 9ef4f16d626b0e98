"""A request that changes nothing is handled once more if PostgreSQL has ended its connection in the middle of it.

Browsers and proxies repeat such requests as well (RFC 9110, section 9.2.2), but not when they are answered.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import Any

from .. import database, log, reconnection

SAFE = ("GET", "HEAD", "OPTIONS")
SAID = "PostgreSQL ended the connection in the middle of this request: it is handled once more."
ENDED = re.compile("|57P0[1-3]|08...")  # no code, admin_shutdown and crash_shutdown, connection_exception

_repeatable: ContextVar[bool] = ContextVar("repeatable", default=False)


class ConnectionLost(BaseException):
    """Ends the handling of a request, past everything that would make an answer or a record of its failure."""


def repeated(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application, but that safe requests are given to it once more if they fail so, before they are answered."""
    _listen()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ
        if body or environ["REQUEST_METHOD"] not in SAFE:
            return application(environ, start_response)
        before = environ.copy()
        _repeatable.set(True)
        try:
            return application(environ, start_response)
        except ConnectionLost:
            log.warning(SAID)
        finally:
            _repeatable.set(False)
        environ.clear()
        environ.update(before)
        return application(environ, start_response)

    return answer


def repeated_asgi(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The same of an ASGI application."""
    _listen()

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in SAFE:
            await application(scope, receive, send)
            return
        first = await receive()
        if first["type"] != "http.request" or first.get("body") or first.get("more_body"):
            await application(scope, preceded(first, receive), send)
            return
        _repeatable.set(True)
        try:
            await application(scope.copy(), preceded(first, receive), send)
            return
        except ConnectionLost:
            log.warning(SAID)
        finally:
            _repeatable.set(False)
        # Django no longer listened when it failed; for gunicorn, that is as if the client had gone.
        await application(scope, preceded(first, asyncio.get_running_loop().create_future), send)

    return answer


def preceded(first: Any, receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """What receives this message, and then the others."""
    messages = [first]

    async def receiving() -> Any:
        return messages.pop() if messages else await receive()

    return receiving


def _listen() -> None:
    from django.core.signals import got_request_exception

    got_request_exception.connect(_on_failure, dispatch_uid=__name__)


def _on_failure(**_: object) -> None:
    """Django is about to answer 500."""
    # Where there is no connection to be had, repeating the request does not change that.
    if _repeatable.get() and is_end_of_connection(sys.exception()) and not reconnection.is_out():
        raise ConnectionLost


def is_end_of_connection(error: BaseException | None) -> bool:
    """Whether this is Django's error of a statement, or of a transaction's end, whose connection broke.

    By the error, not by the connection: Django may have made another one since, when it left the transaction.
    """
    from django.db import InterfaceError, OperationalError

    if not isinstance(error, (InterfaceError, OperationalError)):
        return False
    if not type(error.__cause__).__module__.startswith("psycopg"):
        return False
    # Without a code it is libpq's own; psycopg2 alone calls it another error if it knew of the end before.
    if isinstance(error, InterfaceError):
        return "connection already closed" in str(error)
    return bool(ENDED.fullmatch(database.sqlstate(error)))
