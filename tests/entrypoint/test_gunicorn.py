"""The gunicorns that the server is made for, and what it does otherwise than each of them."""

from __future__ import annotations

import re
import signal
import threading

import gunicorn
import pytest

from entrypoint.server import versions
from tests.entrypoint.booting import ROOT, children

# Writes down which worker begins a request, and which is told to stop.
COUNTING = """
import signal

def note(file, worker):
    with open(file, "a") as notes:
        notes.write(f"{worker.pid}\\n")

def pre_request(worker, request):
    note("busy", worker)

def post_worker_init(worker):
    before = signal.getsignal(signal.SIGTERM)

    def stop(number, frame):
        note("told", worker)
        before(number, frame)

    signal.signal(signal.SIGTERM, stop)
"""


def claim(project, version: str) -> None:
    """Have gunicorn say that it is another version."""
    project.add_setting(f"import gunicorn\ngunicorn.__version__ = {version!r}")


def test_the_one_that_is_tested_is_an_end_of_the_range():
    """With each relock NEWEST moves along; checks.*.gunicorn has the LOWEST."""
    tested = tuple(map(int, gunicorn.__version__.split(".")[:2]))
    assert tested in (versions.LOWEST, versions.NEWEST)


def test_the_page_has_the_range():
    page = " ".join((ROOT / "docs/boot.md").read_text().split())
    lowest, newest = (".".join(map(str, each)) for each in (versions.LOWEST, versions.NEWEST))
    assert f"gunicorn {lowest} to {newest}" in page


@pytest.mark.proves("If gunicorn fails to start, the container exits")
def test_one_that_is_too_old_is_refused_before_anything_waits(boot, project):
    claim(project, "22.0.0")
    running = boot(POSTGRES_HOST="127.0.0.2", POSTGRES_PORT="1")
    assert running.exit_code() == 17
    assert running.error == (
        "gunicorn 22.0.0 is too old, the server needs 23.0 or newer: ask for gunicorn>=23.0 in the project's dependencies,"
        " and lock them again."
    )


def test_one_that_is_too_old_for_asgi_is_refused_before_a_migration(boot, project, sql, database):
    claim(project, "26.0.0")
    running = boot(ASGI_APPLICATION="config.asgi:application")
    assert running.exit_code() == 17
    assert running.error == (
        "ASGI_APPLICATION needs gunicorn 27.0 or newer, this is 26.0.0: ask for gunicorn>=27.0 in the project's dependencies,"
        ' and lock them again, or have the image take the package set\'s (`fromPackageSet = [ "gunicorn" ];` in flake.nix).'
    )
    assert sql("SELECT 1 FROM pg_tables WHERE tablename = 'django_migrations'", database=database) == []


@pytest.mark.parametrize(("version", "warned"), [("99.0.0", True), ("27.0.9", False), ("of our own", False)])
def test_a_newer_one_serves_with_a_warning(boot, project, version, warned):
    claim(project, version)
    running = boot().serving()
    warnings = [each for each in running.messages(level="WARNING") if "is newer than" in each]
    assert [re.split(" is newer", each)[0] for each in warnings] == [f"gunicorn {version}"] * warned


def test_proxies_that_gunicorn_cannot_read(boot, sql, database):
    """gunicorn reads that variable itself; it is tried before anything is migrated."""
    running = boot(FORWARDED_ALLOW_IPS="127.0.0.1,the-proxy")
    assert running.exit_code() == 17
    assert running.error.startswith(
        f"FORWARDED_ALLOW_IPS cannot be used by gunicorn {gunicorn.__version__}: 'the-proxy' does not appear to be"
    )
    assert sql("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", database=database) == []


def test_a_worker_that_takes_its_time_is_told_to_stop_once(boot, project):
    """gunicorn tells it again each second; while Python ends the process, it would be killed by that, says the log."""
    project.write("gunicorn_config.py", COUNTING)
    told, busy = project.directory / "told", project.write("busy", "")
    running = boot(WEB_CONCURRENCY="2").serving()
    first, second = running.until(lambda: len(found := children(running.process.pid)) == 2 and found)
    busy.write_text("")
    asking = [threading.Thread(target=running.get, args=("/slow/?seconds=4",)) for _ in range(2)]
    for each in asking:
        each.start()
    running.until(lambda: set(busy.read_text().split()) == {str(first), str(second)})
    running.process.send_signal(signal.SIGTTOU)  # one worker less
    running.until(lambda: children(running.process.pid) == [second])
    for each in asking:
        each.join()
    assert told.read_text().split() == [str(first)]
