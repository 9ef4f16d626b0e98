"""The request's ID: in each record that is written while it is handled, in its answer, and in its queries."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

HEADER = "X-Request-ID"
ENVIRON = "HTTP_X_REQUEST_ID"
# Nothing that ends a comment of SQL, stands for a value in it, or needs quoting anywhere.
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+=:@-]{0,127}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The ID of the request that is handled just now, "" if none is."""
    return _current.get()


def begin(claimed: str) -> str:
    """Take the ID that a client or a proxy has sent, if it is one, or make another; return it."""
    chosen = claimed if _VALID.fullmatch(claimed) else os.urandom(16).hex()
    _current.set(chosen)
    return chosen


def end() -> None:
    """No request is handled any more."""
    _current.set("")


def carried(application: Any) -> Any:
    """The WSGI application, whose requests have an ID: it finds it in the header, as if a proxy had sent it."""

    def carrying(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        chosen = environ[ENVIRON] = begin(environ.get(ENVIRON, ""))

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if not any(name.lower() == "x-request-id" for name, _ in headers):
                headers = [*headers, (HEADER, chosen)]
            return start_response(status, headers, *rest)

        return application(environ, start)

    return carrying


def in_queries() -> None:
    """From now on, each query that is made for a request begins with a comment that has its ID."""
    from django.db.backends.signals import connection_created

    connection_created.connect(_on_connection, dispatch_uid=__name__)


def _on_connection(connection: Any, **_: object) -> None:
    # Prepared statements are known by their text, which would be another one each time.
    options = connection.settings_dict["OPTIONS"]
    prepares = options.get("server_side_binding") or options.get("prepare_threshold") is not None
    if connection.vendor == "postgresql" and not prepares and _commented not in connection.execute_wrappers:
        connection.execute_wrappers.append(_commented)


def _commented(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    chosen = _current.get()
    # Else it is an object of the database library, or nobody's request.
    if chosen and isinstance(sql, str):
        sql = f"/* request_id={chosen} */ {sql}"
    return execute(sql, params, many, context)
