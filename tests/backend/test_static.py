"""Static files: hashed, compressed, and right while another replica changes the directory."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serving.staticfiles import StaticFilesMiddleware

OLD = b"body { color: red }\n" * 50
NEW = b"body { color: darkslateblue }\n" * 70


@pytest.fixture
def root(tmp_path: Path, settings) -> Iterator[Path]:
    """STATIC_ROOT, with a secret beside it."""
    (tmp_path / "secret.css").write_text("outside")
    root = tmp_path / "static"
    root.mkdir()
    settings.STATIC_ROOT = root
    settings.DEBUG = False
    # As Django's own test client has it: a response that is closed looks after connections of other tests.
    request_finished.disconnect(close_old_connections)
    yield root
    request_finished.connect(close_old_connections)


@pytest.fixture
def replica(root: Path) -> StaticFilesMiddleware:
    """A running replica; 404 is what the rest of Django answers."""
    return StaticFilesMiddleware(lambda request: HttpResponse("not static", status=404))


def get(replica: StaticFilesMiddleware, name: str, method: str = "get", **headers: str):
    request = getattr(RequestFactory(), method)("/", headers=headers)
    request.path_info = f"/static/{name}"
    return replica(request)


def body(response) -> bytes:
    """The body, of exactly the length that was announced."""
    content = b"".join(response) if response.streaming else response.content
    response.close()
    if "Content-Length" in response:
        assert int(response["Content-Length"]) == len(content)
    return content


def put(path: Path, content: bytes, compressed: bool = False) -> None:
    """Replace `path` by rename, as a careful collector does; its mtime is the store's, always the same."""
    for target, data in ((path, content), (path.with_name(path.name + ".gz"), gzip.compress(content))):
        if target == path or compressed:
            temporary = target.with_name(".temporary")
            temporary.write_bytes(data)
            os.utime(temporary, (1, 1))
            temporary.replace(target)


def hashed(name: str, content: bytes) -> str:
    stem, dot, extension = name.rpartition(".")
    return f"{stem}.{hashlib.md5(content).hexdigest()[:12]}{dot}{extension}"


@pytest.mark.proves(
    "Static directories that are tidied, hostile, or on file systems without locks are survived, and nothing outside them is touched or served"
)
def test_links_that_lead_out_are_not_served(root, replica):
    (root / "inside").mkdir()
    (root / "inside/a.css").write_bytes(OLD)
    (root / "here.css").symlink_to("inside/a.css")
    (root / "file.css").symlink_to("../secret.css")
    (root / "folder").symlink_to("..")
    assert body(get(replica, "here.css")) == OLD
    for name in ("file.css", "folder/secret.css", "folder/static/inside/a.css", "folder/static/file.css"):
        response = get(replica, name)
        assert b"outside" not in body(response)
        assert response.status_code == 404 or name == "folder/static/inside/a.css", "it leads back in"


def test_replaced_file_is_served_as_it_is_now(root, replica):
    put(root / "a.css", OLD)
    old = get(replica, "a.css")
    assert body(old) == OLD
    put(root / "a.css", NEW)
    new = get(replica, "a.css")
    assert body(new) == NEW
    assert new["ETag"] != old["ETag"]
    assert get(replica, "a.css", if_none_match=old["ETag"]).status_code == 200
    assert get(replica, "a.css", if_none_match=new["ETag"]).status_code == 304


def test_same_size_and_same_mtime_is_not_the_same_file(root, replica):
    put(root / "a.css", b"one")
    first = get(replica, "a.css")
    put(root / "a.css", b"two")
    second = get(replica, "a.css")
    assert (body(first), body(second)) == (b"one", b"two")
    assert first["ETag"] != second["ETag"]


def test_compressed_file_is_used_only_if_it_is_of_the_same_content(root, replica):
    put(root / "a.css", OLD, compressed=True)
    response = get(replica, "a.css", accept_encoding="gzip")
    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(body(response)) == OLD
    put(root / "a.css", NEW)  # its .gz is not there yet
    response = get(replica, "a.css", accept_encoding="gzip")
    assert "Content-Encoding" not in response
    assert body(response) == NEW
    put(root / "a.css", NEW, compressed=True)
    response = get(replica, "a.css", accept_encoding="gzip")
    assert gzip.decompress(body(response)) == NEW


def test_damaged_compressed_file_is_not_used(root, replica):
    put(root / "a.css", OLD)
    for damaged in (b"", b"no gzip", gzip.compress(OLD)[:30]):
        (root / "a.css.gz").write_bytes(damaged)
        assert body(get(replica, "a.css", accept_encoding="gzip")) == OLD


def test_files_that_arrive_later(root, replica):
    name = hashed("app.css", NEW)
    assert get(replica, name).status_code == 404
    assert get(replica, "deep/new.css").status_code == 404
    put(root / name, NEW)
    (root / "deep").mkdir()
    put(root / "deep/new.css", OLD)
    assert body(get(replica, name)) == NEW
    assert body(get(replica, "deep/new.css")) == OLD


def test_hashed_names_are_immutable_if_their_content_says_so(root, replica):
    """A half-written file, or a chance likeness, must not stay in caches for ten years."""
    name = hashed("app.css", NEW)
    put(root / name, NEW[:10])
    assert "immutable" not in get(replica, name)["Cache-Control"]
    put(root / name, NEW)
    assert "immutable" in get(replica, name)["Cache-Control"]
    put(root / "plain.css", NEW)
    assert get(replica, "plain.css")["Cache-Control"] == "max-age=60, public"


def test_file_replaced_between_examination_and_opening(root, replica, monkeypatch):
    put(root / "a.css", OLD)
    find = replica.find
    replacements = [NEW]

    def find_then_replace(url):
        found = find(url)
        if replacements:
            put(root / "a.css", replacements.pop())
        return found

    monkeypatch.setattr(replica, "find", find_then_replace)
    assert body(get(replica, "a.css")) == NEW
    replacements[:] = [OLD, NEW, OLD, NEW]
    assert get(replica, "a.css").status_code == 503  # never one file's headers with another's bytes
    replacements.clear()
    assert body(get(replica, "a.css")) in (OLD, NEW)


def test_file_that_goes_away(root, replica):
    put(root / "a.css", OLD)
    assert body(get(replica, "a.css")) == OLD
    (root / "a.css").unlink()
    assert get(replica, "a.css").status_code == 404
    assert replica.examined == {}


def test_probing_fills_no_memory(root, replica):
    put(root / "a.css", OLD)
    get(replica, "a.css").close()
    for number in range(2000):
        assert get(replica, f"{number}.css").status_code == 404
    assert len(replica.examined) == 1
    assert replica.files == {}


@pytest.mark.parametrize(
    "name",
    [
        "../secret.css",
        "..%2fsecret.css",
        "a/../../secret.css",
        "/etc/passwd",
        "//etc/passwd",
        "./a.css",
        "a.css/",
        "a//a.css",
        "..\\secret.css",
        "a.css\0",
        "a" * 5000,
        "folder",
        "folder/",
        "pipe",
        "",
        ".collected-1",
        "folder/.hidden",
        ".folder/a.css",
        "a.css.gz",
        "unreadable\udcff",
    ],
)
def test_names_that_are_not_served(root, replica, name):
    put(root / "a.css", OLD, compressed=True)
    (root / "folder").mkdir()
    (root / ".folder").mkdir()
    os.mkfifo(root / "pipe")
    for hidden in (".collected-1", "folder/.hidden", ".folder/a.css"):
        (root / hidden).write_text("for the collector alone")
    assert get(replica, name).status_code == 404


@hypothesis_settings(deadline=None, database=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(["..", ".", "", "a", "secret.css", "%2e%2e", "\\", "etc", "\0"]) | st.text(max_size=5)
    )
)
def test_no_name_reaches_outside(tmp_path_factory, parts):
    from django.conf import settings as django_settings

    directory = tmp_path_factory.mktemp("outside")
    (directory / "secret.css").write_text("outside")
    (directory / "static").mkdir()
    before, django_settings.STATIC_ROOT = django_settings.STATIC_ROOT, directory / "static"
    try:
        replica = StaticFilesMiddleware(lambda request: HttpResponse(status=404))
    finally:
        django_settings.STATIC_ROOT = before
    assert get(replica, "/".join(parts)).status_code == 404


def test_methods_and_ranges(root, replica):
    put(root / "a.css", OLD)
    head = get(replica, "a.css", "head")
    assert (head.status_code, head["Content-Length"], b"".join(head)) == (200, str(len(OLD)), b"")
    assert get(replica, "a.css", "post").status_code == 405
    part = get(replica, "a.css", range="bytes=5-9")
    assert part.status_code == 206
    assert body(part) == OLD[5:10]


def test_a_missing_directory_is_no_warning(tmp_path, settings, recwarn):
    settings.STATIC_ROOT = tmp_path / "nowhere"
    replica = StaticFilesMiddleware(lambda request: HttpResponse(status=404))
    assert get(replica, "a.css").status_code == 404
    assert [str(warning.message) for warning in recwarn] == []


# The same, from a real server that was started by the documents' sequence.


@pytest.mark.proves("`/api/health/` answers 200, `/static/admin/css/base.css` too")
def test_admin_css_as_the_documents_ask_for_it(server):
    answer = server.request("/static/admin/css/base.css", "HEAD", Host="localhost:8000")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == 'text/css; charset="utf-8"'


def test_pages_link_to_hashed_compressed_files(server):
    page = server.request("/admin/login/", Host="api.example.com", X_Forwarded_Proto="https")
    assert page.status == 200
    links = re.findall(rb'href="(/static/[^"]+\.css)"', page.body)
    assert links
    for link in links:
        assert re.search(rb"\.[0-9a-f]{12}\.css$", link)
        answer = server.request(link.decode(), Accept_Encoding="gzip")
        assert answer.status == 200
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        assert gzip.decompress(answer.body)


def test_the_projects_own_css_is_hashed_inside_too(server):
    manifest = json.loads((server.directory / "staticfiles/staticfiles.json").read_text())["paths"]
    css = server.request(f"/static/{manifest['core/site.css']}").body.decode()
    icon = Path(manifest["core/icon.svg"]).name
    assert f'url("{icon}")' in css
    assert server.request(f"/static/core/{icon}").headers["Content-Type"] == "image/svg+xml"


@pytest.mark.proves("New static files on an old volume are served, old ones stay")
def test_a_running_server_sees_what_another_replica_collects(server):
    root = server.directory / "staticfiles"
    put(root / "shared.css", OLD, compressed=True)
    assert server.request("/static/shared.css").body == OLD
    put(root / "shared.css", NEW, compressed=True)
    assert server.request("/static/shared.css").body == NEW
    assert gzip.decompress(server.request("/static/shared.css", Accept_Encoding="gzip").body) == NEW


@pytest.mark.proves("Static files are collected at start, and the log says how many were copied")
def test_collectstatic_says_the_documented_sentence(run, project, production):
    result = run(project, production, "manage.py", "collectstatic", "--noinput")
    assert re.search(
        r"^\d+ static files copied to '.*/staticfiles', \d+ post-processed\.$", result.stdout, re.MULTILINE
    )
    assert (project / "staticfiles/admin/css/base.css").is_file()


def test_pages_work_when_nothing_was_collected(run, project, production):
    """RUN_COLLECTSTATIC=0 and an empty directory: plain pages, with plain names, and one warning."""
    (project / "staticfiles").mkdir()
    code = (
        "import django; django.setup(); from django.test import Client\n"
        "c = Client(headers={'host': 'api.example.com', 'x-forwarded-proto': 'https'})\n"
        "for path in ('/', '/admin/login/'):\n"
        "    r = c.get(path); assert r.status_code == 200, r; assert b'/static/' in r.content\n"
        "assert b'/static/core/site.css' in c.get('/').content\n"
    )
    result = run(project, production, "-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("run collectstatic") == 1
    (project / "staticfiles/staticfiles.json").write_text('{"paths": {"core/si')
    assert run(project, production, "-c", code).returncode == 0
