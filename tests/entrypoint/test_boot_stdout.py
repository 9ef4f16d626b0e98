"""A standard output that is full: nothing waits for whoever should read it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from typing import Any

import pytest

from tests.entrypoint.booting import both

REQUESTS = 120  # more than the pipe holds records of


class Pipe:
    """A small pipe, read only when it is asked to."""

    def __init__(self) -> None:
        self.end, self.writes = os.pipe()
        fcntl.fcntl(self.writes, fcntl.F_SETPIPE_SZ, 16384)
        os.set_blocking(self.end, False)
        self.text = b""

    def read(self) -> list[dict[str, Any]]:
        """All records so far; the last line may be a part of one."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.end, 65536):
                self.text += data
        return [json.loads(line) for line in self.text.split(b"\n")[:-1]]


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    os.close(made.end)
    os.close(made.writes)


@pytest.mark.proves("A standard output that nobody reads stops nothing, and what was dropped is counted")
@both
@pytest.mark.parametrize("blocking", [False, True])
def test_requests_are_answered_and_what_was_dropped_is_counted(boot, project, pipe, blocking):
    if blocking:  # as where the pipe is another user's and cannot be opened anew
        project.add_setting("from entrypoint import log\nlog._stdout._descriptor = 1")
    running = boot(options={"stdout": pipe.writes}).serving()
    pipe.read()
    for _ in range(REQUESTS):
        assert running.get("/about/").status == 200
    pipe.read()
    assert running.get("/about/").status == 200

    def accounted() -> tuple[int, int]:
        """How many requests the log has, and how many records it says were dropped."""
        records = pipe.read()
        told = [each for each in records if each["message"].startswith("Log records were dropped")]
        return sum(each.get("path") == "/about/" for each in records), sum(each["dropped"] for each in told)

    running.until(lambda: sum(accounted()) > REQUESTS)
    assert accounted()[0] < REQUESTS
    assert running.stop() == 0


@pytest.mark.proves("A standard output that nobody reads stops nothing, and what was dropped is counted")
@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_hears_signals(boot, pipe, number):
    running = boot(options={"stdout": pipe.writes}).serving()
    for _ in range(REQUESTS):
        assert running.get("/about/").status == 200
    running.process.send_signal(signal.SIGHUP)  # the master has a lot to say then
    assert running.get("/about/").status == 200
    assert running.stop(number) == 0
