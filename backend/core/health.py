"""Health: `/api/health/` (can this replica serve?) and `/api/health/live/` (does this process answer?).

A middleware, and the first one: probes come by IP address, over plain HTTP, and ask often.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from core.readiness import Readiness

READINESS = "/api/health/"
LIVENESS = "/api/health/live/"

logger = logging.getLogger(__name__)


class HealthMiddleware:
    """Answers the two health paths itself, whatever the Host header; passes everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.readiness = Readiness()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in (READINESS, LIVENESS):
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        response = live() if request.path_info == LIVENESS else self.ready(request)
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))
        if request.method == "HEAD":
            response.content = b""
        return response

    def ready(self, request: HttpRequest) -> HttpResponse:
        """200 when the database takes writes, else 503; the reason is for the log alone, once for each look."""
        state, new = self.readiness.state()
        if not state.problem:
            return JsonResponse({"status": "ok", "database": state.database})
        response = JsonResponse({"status": "unavailable", "database": state.database}, status=503)
        if new:
            logger.warning("Not ready: %s", state.problem)
        response._has_been_logged = True
        return response


def live() -> HttpResponse:
    """200, without a look at the database: restarting this process would not mend that."""
    return JsonResponse({"status": "ok"})
