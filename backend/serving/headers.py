"""Headers that protect whoever looks at an answer: Django's, on static files too, and two that Django lacks."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

# Nothing here uses these.
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
# The admin needs no more: its scripts and styles are files. Django 6.0 brings a middleware for this.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)


class HeadersMiddleware(SecurityMiddleware):
    """Django's security headers and ours on all that passes; redirecting to https is left to Django's own."""

    def process_request(self, request: HttpRequest) -> None:
        """Let it pass: static files need no https."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        # A developer's error pages have their scripts and styles inside.
        if is_page and not (settings.DEBUG and response.status_code >= 400):
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response
