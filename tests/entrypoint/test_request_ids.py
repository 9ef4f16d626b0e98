"""A request's ID: in each of its records, in its answer and in its queries; and whose request it is."""

from __future__ import annotations

import re

import gunicorn
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint import request_id
from entrypoint.server import forwarded
from tests.entrypoint.booting import both

VIEWS = """
import json, logging
from django.db import connection
from django.http import FileResponse, JsonResponse

def told(request):
    print("printed")
    print(json.dumps({"timestamp": "2026-01-01T00:00:00.000Z", "level": "INFO", "logger": "own", "message": "own JSON"}))
    logging.getLogger("shop").warning("logged")
    with connection.cursor() as cursor:
        cursor.execute("SELECT query, %s FROM pg_stat_activity WHERE pid = pg_backend_pid()", ["50%"])
        query, value = cursor.fetchone()
    return JsonResponse({"query": query, "value": value, "seen": request.headers["X-Request-ID"]})

def own(request):
    return JsonResponse({}, headers={"x-request-id": "the projects own"})

def file(request):
    return FileResponse(open("shop/static/shop/plain.txt", "rb"))

urlpatterns += [path("told/", told), path("own/", own), path("file/", file)]
"""
MADE = r"[0-9a-f]{32}"


@pytest.fixture
def told(project):
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + VIEWS)


def records_of(running, chosen: str) -> set[tuple[str, str]]:
    return {
        (record["logger"], record["message"].partition("\n")[0])
        for record in running.records
        if record.get("request_id") == chosen
    }


@pytest.mark.proves("A request's ID is in all of its records, its answer and its queries")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("wsgi", ""), ("wsgi", "worker_class = 'gthread'\nthreads = 2\n"), ("asgi", "")],
    indirect=["kind"],
)
def test_an_id_that_was_sent(boot, project, told, settings):
    project.write("gunicorn_config.py", settings)
    running = boot().serving()
    answer = running.get("/told/", **{"X-Request-ID": "proxy-1.2_3"})
    assert answer.getheader("X-Request-ID") == "proxy-1.2_3"
    assert b"/* request_id=proxy-1.2_3 */ SELECT query" in answer.body
    assert b'"value": "50%", "seen": "proxy-1.2_3"' in answer.body
    assert running.get("/broken/", **{"X-Request-ID": "b"}).status == 500
    running.until(lambda: ("gunicorn.access", "GET /broken/ 500") in records_of(running, "b"))
    assert ("django.request", "Internal Server Error: /broken/") in records_of(running, "b")
    assert records_of(running, "proxy-1.2_3") == {
        ("stdout", "printed"),
        ("own", "own JSON"),
        ("shop", "logged"),
        ("gunicorn.access", "GET /told/ 200"),
    }
    assert running.stop() == 0
    of_requests = {"gunicorn.access", "django.request", "stdout", "own", "shop"}
    assert {record["logger"] for record in running.records if "request_id" in record} <= of_requests


@pytest.mark.proves("A request's ID is in all of its records, its answer and its queries")
@both
def test_an_id_that_was_not_sent(boot, told):
    running = boot().serving()
    answers = [running.get("/told/") for _ in range(3)]
    chosen = {answer.getheader("X-Request-ID") for answer in answers}
    assert len(chosen) == 3
    assert all(re.fullmatch(MADE, each) for each in chosen)
    for answer in answers:
        assert answer.body.count(answer.getheader("X-Request-ID").encode()) == 2
    assert running.get("/file/").getheader("X-Request-ID")
    assert running.get("/own/").headers.get_all("X-Request-ID") == ["the projects own"]


@both
def test_an_id_that_is_none(boot, told):
    running = boot().serving()
    for sent in ["", "*/ DROP TABLE shop_item; --", "%s", "a b", "-a", "a,b", "a" * 129, "\u00e9"]:
        answer = running.get("/told/", **{"X-Request-ID": sent})
        assert answer.status == 200, sent
        assert re.fullmatch(MADE, answer.getheader("X-Request-ID")), sent


@given(st.text())
def test_no_text_leaves_a_comment_or_a_header(sent):
    assert re.fullmatch(r"[\w.~+=:@-]{1,128}", request_id.begin(sent), re.ASCII)
    request_id.end()


def test_queries_that_are_no_requests(boot, project, told):
    """Of the application's threads, for one; and where statements are prepared, by which their text counts."""
    assert request_id._commented(lambda *given: given, "SELECT 1", None, False, {}) == (
        "SELECT 1",
        None,
        False,
        {},
    )
    request_id.begin("x")
    statement = object()
    assert request_id._commented(lambda *given: given[0], statement, None, False, {}) is statement
    request_id.end()


PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "header", "allowed", "client"),
    [
        ("192.0.2.1", "198.51.100.1", ["127.0.0.1", "::1"], "192.0.2.1"),
        (PROXY, "", [PROXY], PROXY),
        (PROXY, "198.51.100.1", [PROXY], "198.51.100.1"),
        (PROXY, "203.0.113.66, 198.51.100.1", [PROXY], "198.51.100.1"),
        (PROXY, "203.0.113.66, 198.51.100.1, 10.0.0.2", ["10.0.0.0/8"], "198.51.100.1"),
        (PROXY, "10.0.0.3, 10.0.0.2", ["10.0.0.0/8"], "10.0.0.3"),
        (PROXY, "203.0.113.66, 198.51.100.1", ["*"], "198.51.100.1"),
        ("", "198.51.100.1", ["127.0.0.1"], "198.51.100.1"),
        ("::1", "2001:db8::1", ["::1"], "2001:db8::1"),
        (PROXY, "[2001:db8::1]:4711", [PROXY], "2001:db8::1"),
        (PROXY, "198.51.100.1:4711", [PROXY], "198.51.100.1"),
        (PROXY, "unknown", [PROXY], PROXY),
        (PROXY, "198.51.100.1, <script>", [PROXY], PROXY),
    ],
)
def test_whose_request_it_is(peer, header, allowed, client):
    assert forwarded.client(peer, header, allowed) == client


@given(st.text(), st.text(), st.lists(st.sampled_from(["*", "::1", "10.0.0.0/8"])))
def test_no_header_breaks_the_log(peer, header, allowed):
    assert forwarded.client(peer, header, allowed) in (peer, *map(forwarded._address, header.split(",")))


@pytest.mark.proves("`remote_addr` is the client's, if the proxy in between is one that gunicorn believes")
@both
@pytest.mark.parametrize(("allowed", "client"), [(None, "203.0.113.9"), ("192.0.2.0/24", "127.0.0.1")])
def test_remote_addr_behind_a_proxy(boot, allowed, client):
    if allowed and gunicorn.version_info < (24, 1):
        pytest.skip("this gunicorn takes no networks; CI's check `entrypoint` has one that does")
    running = boot(FORWARDED_ALLOW_IPS=allowed).serving()
    running.get("/about/", **{"X-Forwarded-For": "198.51.100.66, 203.0.113.9"})
    running.until(lambda: "GET /about/ 200" in running.output)
    (record,) = [each for each in running.records if each.get("path") == "/about/"]
    assert record["remote_addr"] == client
