"""Bodies that are too large, and what workers leave behind that are killed while one arrives."""

from __future__ import annotations

import fcntl
import http.client
import os
import signal
from pathlib import Path

import pytest

from tests.entrypoint.booting import PATIENCE, Boot, both, children
from tests.running import until

VIEWS = """
import signal, tempfile

def upload(request):
    return HttpResponse(str(len(request.read())))

def killed(request):
    with tempfile.NamedTemporaryFile() as file:
        file.write(request.read())
        file.flush()
        os.kill(os.getppid() if request.GET else os.getpid(), signal.SIGKILL)
        time.sleep(60)

urlpatterns += [path("upload/", upload), path("killed/", killed)]
"""
LARGE = 1 << 20


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def served(boot, project, temporary) -> Boot:
    project.write("config/urls.py", (project.directory / "config/urls.py").read_text() + VIEWS)
    return boot(MAX_REQUEST_BODY="1", TMPDIR=str(temporary)).serving()


def post(server: Boot, path: str, size: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.address, timeout=PATIENCE)
    try:
        connection.request("POST", path, body=bytes(size))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def is_abandoned(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@pytest.mark.proves("A body that is too large is refused before it is read")
@both
def test_a_body_that_is_too_large(served):
    assert post(served, "/upload/", LARGE) == (200, str(LARGE).encode())
    assert post(served, "/upload/", LARGE + 1) == (413, b"A request may have 1 MB.\n")
    connection = http.client.HTTPConnection(served.address, timeout=PATIENCE)
    connection.putrequest("POST", "/upload/")
    connection.putheader("Content-Length", str(10 * LARGE))
    connection.endheaders()  # and nothing of the body
    assert connection.getresponse().status == 413
    connection.close()
    served.until(lambda: [each.get("status") for each in served.records].count(413) == 2)
    assert served.stop() == 0


@pytest.mark.proves("A worker that is killed leaves no file behind")
@both
def test_a_worker_that_is_killed_leaves_nothing(served, temporary):
    with pytest.raises(ConnectionError):
        post(served, "/killed/", LARGE)
    served.until(lambda: not files(temporary))
    served.serving()
    assert served.stop() == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.proves("A worker that is killed leaves no file behind")
def test_a_server_that_is_killed_leaves_what_the_next_one_removes(served, boot, temporary):
    workers = children(served.process.pid)
    connection = http.client.HTTPConnection(served.address, timeout=PATIENCE)
    connection.request("POST", "/killed/?master=1", body=bytes(LARGE))
    served.process.wait(PATIENCE)
    for each in workers:
        os.kill(each, signal.SIGKILL)
    connection.close()
    assert [each.stat().st_size for each in files(temporary)] == [LARGE]
    (folder,) = temporary.iterdir()
    until(lambda: is_abandoned(folder), "the workers' end")
    other = boot(TMPDIR=str(temporary)).serving()
    assert files(temporary) == []
    assert other.stop() == 0
