"""Health: `/api/health/` (can this replica serve?) and `/api/health/live/` (does this process answer?).

A middleware, and the first one: probes come by IP address, over plain HTTP, and ask often.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils.log import log_response

READINESS = "/api/health/"
LIVENESS = "/api/health/live/"
DEADLINE = 3.0  # seconds for the database to answer

logger = logging.getLogger(__name__)


class HealthMiddleware:
    """Answers the two health paths itself, whatever the Host header; passes everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in (READINESS, LIVENESS):
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = live() if request.path_info == LIVENESS else ready(request)
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))
        if request.method == "HEAD":
            response.content = b""
        return response


def live() -> HttpResponse:
    """200, without a look at the database: restarting this process would not mend that."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """200 when the database answers within DEADLINE, else 503; the reason is for the log alone."""
    try:
        ask_database()
    except Exception as error:  # noqa: BLE001 -- whatever it is, the answer to a probe is 503
        response = JsonResponse({"status": "unavailable", "database": "unavailable"}, status=503)
        reason = " ".join(str(error).split()) or type(error).__name__
        log_response(
            "Not ready, the database does not answer: %s",
            reason,
            response=response,
            request=request,
            logger=logger,
            level="warning",
        )
        return response
    return JsonResponse({"status": "ok", "database": "ok"})


def ask_database() -> None:
    """Let the database answer `SELECT 1`; raises whatever keeps it from that.

    PostgreSQL is asked on a connection of its own, without blocking: a server that is suspended, or that
    vanished from the network, takes the packets of a blocking connection and never answers. Looking up the
    host's name is the one step that the deadline does not bound; the resolver's own does.
    """
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return

    import psycopg2  # here, for a development machine has none

    deadline = time.monotonic() + DEADLINE
    probe = psycopg2.connect(**connection.get_connection_params(), async_=True)
    try:
        wait(probe, deadline)
        cursor = probe.cursor()
        cursor.execute("SELECT 1")
        wait(probe, deadline)
    finally:
        probe.close()


def wait(probe: Any, deadline: float) -> None:
    """Drive the psycopg2 connection `probe` until it is idle; TimeoutError after `deadline` (monotonic)."""
    from psycopg2.extensions import POLL_OK, POLL_READ

    while (state := probe.poll()) != POLL_OK:
        poller = select.poll()
        poller.register(probe.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not poller.poll(remaining * 1000):
            raise TimeoutError(f"no answer within {DEADLINE:g} seconds")
