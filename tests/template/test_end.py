"""However `nix run` ends, nothing of it stays behind, and it can be started again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.running import free_port

PATIENCE = 120.0  # seconds after which a test gives up


class Run:
    """`nix run` in a folder, with the folder for temporary files beside it."""

    def __init__(self, place: Path, port: int) -> None:
        self.place, self.port = place, port
        self.log = place / "log"
        environment = os.environ | {"TMPDIR": str(place / "tmp")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [os.environ["RUN"], "--port", str(port)],
                cwd=place / "project",
                env=environment,
                stdout=log,
                stderr=log,
                # Whoever runs the tests under nohup ignores it, and `nix run` would too.
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 -- no threads
            )

    def wait_until_it_serves(self) -> None:
        wait_for(self.serves, self.log)

    def starts(self) -> bool:
        said = self.log.read_text()
        assert self.process.poll() is None, said
        return "Starting PostgreSQL" in said

    def serves(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(OSError):
            url = f"http://127.0.0.1:{self.port}/api/health/"
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                return response.status == 200
        return False

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def left(self) -> dict[int, str]:
        """Processes that have the run's folder for temporary files, with their command lines."""
        mark = f"TMPDIR={self.place}/tmp\0".encode()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes():
                    found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        return found

    def postmaster(self) -> int:
        return int((self.place / "project/.run/postgresql/data/postmaster.pid").read_text().split()[0])


def wait_for(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may enter, unlike pytest's own."""
    place = Path(tempfile.mkdtemp(prefix="end-"))
    place.chmod(0o755)
    (place / "project").mkdir()
    (place / "tmp").mkdir()
    yield place
    shutil.rmtree(place)


@pytest.fixture
def start(place: Path) -> Iterator[Callable[[], Run]]:
    port = free_port()
    runs: list[Run] = []

    def run() -> Run:
        runs.append(Run(place, port))
        return runs[-1]

    yield run
    for each in runs:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        for number in each.left():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_at_any_moment_ends_everything(start, place, number):
    """From the first start, which makes the database, to one that serves."""
    moments = random.Random(number)
    for _ in range(3):
        run = start()
        wait_for(run.starts, run.log)
        time.sleep(moments.uniform(0, 2))
        assert run.end(number) == 0, run.log.read_text()
        assert run.left() == {}
        assert os.listdir(place / "tmp") == []
        assert "Traceback" not in run.log.read_text()
    run = start()
    run.wait_until_it_serves()
    assert run.end(number) == 0
    assert run.left() == {}
    assert os.listdir(place / "tmp") == []


def test_it_starts_again_after_it_was_killed_at_any_moment(start, place):
    moments = random.Random(9)
    for _ in range(3):
        run = start()
        wait_for(run.starts, run.log)
        time.sleep(moments.uniform(0, 2))
        run.end(signal.SIGKILL)
    run = start()
    run.wait_until_it_serves()
    run.end(signal.SIGKILL)
    wait_for(lambda: run.left() == {}, run.log)
    run = start()
    run.wait_until_it_serves()
    assert run.end(signal.SIGTERM) == 0
    assert run.left() == {}
    assert os.listdir(place / "tmp") == []


def test_a_folder_that_the_server_cannot_reach_leaves_nothing_in_the_temporary_one(start, place):
    """Root's alone, as /root is: it is mounted below the folder for temporary files."""
    (place / "project").chmod(0o700)
    run = start()
    run.wait_until_it_serves()
    run.end(signal.SIGKILL)
    run = start()
    run.wait_until_it_serves()
    assert run.end(signal.SIGTERM) == 0
    assert os.listdir(place / "tmp") == []


def test_a_database_that_crashed_is_no_error_at_the_end(start, place):
    run = start()
    run.wait_until_it_serves()
    os.kill(run.postmaster(), signal.SIGKILL)
    assert run.end(signal.SIGTERM) == 0, run.log.read_text()
    assert run.left() == {}
    assert os.listdir(place / "tmp") == []
