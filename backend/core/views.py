"""The page at /, and its icon."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static


def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for on pages that name no icon, such as the admin's."""
    return redirect(static("core/icon.svg"))


def index(request: HttpRequest) -> HttpResponse:
    """Tell whoever opens the server's address in a browser where to go on."""
    return render(request, "core/index.html")
