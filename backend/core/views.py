"""The page at /."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def index(request: HttpRequest) -> HttpResponse:
    """Tell whoever opens the server's address in a browser where to go on."""
    return render(request, "core/index.html")
