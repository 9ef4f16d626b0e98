"""What every answer tells the browser to do for its user's safety, with production's settings."""

from __future__ import annotations

import re

import pytest


@pytest.mark.proves(
    "HSTS, Permissions-Policy and, on pages, a Content-Security-Policy are on whatever is served"
)
@pytest.mark.parametrize("path", ["/static/core/site.css", "/admin/login/", "/", "/api/meals/", "/nowhere"])
def test_hsts_and_permissions_on_whatever_is_served(server, path):
    answer = server.request(path, Host="api.example.com", X_Forwarded_Proto="https")
    assert answer.status == (404 if path == "/nowhere" else 200)
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    (policy,) = answer.headers.get_all("Permissions-Policy", [])
    assert {"camera=()", "microphone=()", "geolocation=()"} <= set(policy.split(", "))


def test_static_files_are_still_served_on_plain_http_to_any_host(server):
    answer = server.request("/static/core/site.css", Host="unknown.example")
    assert answer.status == 200
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.proves(
    "HSTS, Permissions-Policy and, on pages, a Content-Security-Policy are on whatever is served"
)
@pytest.mark.parametrize("path", ["/admin/login/", "/"])
def test_pages_run_and_load_what_this_server_serves_and_nothing_else(server, path):
    answer = server.request(path, Host="api.example.com", X_Forwarded_Proto="https")
    (policy,) = answer.headers.get_all("Content-Security-Policy", [])
    directives = dict(each.split(" ", 1) for each in policy.split("; "))
    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert directives["form-action"] == "'self'"
    assert "unsafe" not in policy


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["", "meals/meal/", "meals/meal/add/", "auth/user/add/", "auth/group/add/"])
def test_the_admin_needs_no_more_than_its_policy_allows(admin_client, page):
    """No script and no style inside the page: the policy would have the browser drop them."""
    response = admin_client.get(f"/admin/{page}")
    assert "unsafe" not in response["Content-Security-Policy"]
    html = response.content.decode()
    for script in re.findall(r"<script\b([^>]*)>", html):
        assert "src=" in script
    assert not re.search(r"<style\b|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)


@pytest.mark.django_db
def test_a_developers_error_page_keeps_its_own_styles(client, settings):
    settings.DEBUG = True
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert b"<style" in page.content
    assert "Content-Security-Policy" not in page
