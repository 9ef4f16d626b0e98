"""Secrets that change in their files while the server runs."""

from __future__ import annotations

import signal
import threading
from collections import Counter

import pytest

from tests.entrypoint.booting import PASSWORD, SECRET_KEY, both, children

NEW = "staple-horse-battery"

# A view on the database, which connects for each request, and one that shows the key.
URLS = """
import hashlib
from django.conf import settings
from django.db import connection

def items(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_item")
        return HttpResponse(str(cursor.fetchone()[0]))

def key(request):
    return HttpResponse(hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest())

urlpatterns += [path("items/", items), path("key/", key)]
"""


@pytest.fixture
def files(project):
    """The files of secrets, by the variables that name them."""
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + URLS)
    return {
        "POSTGRES_PASSWORD": None,
        "POSTGRES_PASSWORD_FILE": str(project.write("password", f"{PASSWORD}\n")),
        "SECRET_KEY": None,
        "SECRET_KEY_FILE": str(project.write("key", f"{SECRET_KEY}\n")),
    }


@pytest.fixture
def role(sql, database):
    """A role of this test's own, which owns the database."""
    name = f"role_{database}"[:60]
    sql(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{PASSWORD}'")
    sql(f'ALTER DATABASE "{database}" OWNER TO "{name}"')
    yield name
    sql(f'ALTER DATABASE "{database}" OWNER TO app')
    sql(f'REASSIGN OWNED BY "{name}" TO app; DROP OWNED BY "{name}"', database=database)
    sql(f'DROP ROLE "{name}"')


@pytest.mark.proves("A password may change while the server runs")
@both
@pytest.mark.parametrize("first", ["the file", "the role"])
def test_a_new_password(boot, project, sql, files, role, first):
    running = boot(POSTGRES_USER=role, **files).serving()
    workers = children(running.process.pid)
    changes = {
        "the file": lambda: project.write("password", f"{NEW}\n"),
        "the role": lambda: sql(f"ALTER ROLE \"{role}\" PASSWORD '{NEW}'"),
    }
    changes.pop(first)()
    expected = 500 if first == "the role" else 200
    assert running.get("/items/").status == expected
    changes.popitem()[1]()
    for _ in range(3):
        assert running.get("/items/").status == 200
    assert children(running.process.pid) == workers
    assert (
        running.messages(level="INFO").count(
            "POSTGRES_PASSWORD has changed in its file, and was read from there."
        )
        == 1
    )
    assert NEW not in running.output


@pytest.mark.proves("A password may change while the server runs")
@both
def test_sighup_reads_the_files_and_loses_no_request(boot, project, files):
    running = boot(WEB_CONCURRENCY="2", **files).serving()
    before = children(running.process.pid)
    old = running.get("/key/").body
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses[running.get("/items/").status] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        project.write("key", f"another-{SECRET_KEY}")
        running.process.send_signal(signal.SIGHUP)
        running.until(lambda: not set(before) & set(children(running.process.pid)))
        seen = sum(statuses.values())
        running.until(lambda: sum(statuses.values()) > seen + 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert running.get("/key/").body != old
    assert running.messages(level="ERROR") == []


def test_a_file_that_cannot_be_used(boot, project, files):
    running = boot(**files).serving()
    old = running.get("/key/").body
    before = children(running.process.pid)
    project.write("key", "\n")
    running.process.send_signal(signal.SIGHUP)
    running.until_logged("The server keeps its secret: SECRET_KEY_FILE names")
    running.until(lambda: not set(before) & set(children(running.process.pid)))
    assert running.get("/key/").body == old
    assert running.error.endswith("which is empty: write the secret into it.")
