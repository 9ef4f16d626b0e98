"""A standard output that nobody reads, and what becomes of the server behind it."""

from __future__ import annotations

import contextlib
import subprocess
import time

from bench.lab import get
from bench.subject import Subject

REQUESTS = 2000
PATIENCE = 10.0  # seconds, as Docker has


def unread(subject: Subject) -> str:
    """Ask until an answer fails to come; then SIGTERM."""
    answered = 0
    with contextlib.suppress(OSError):
        while answered < REQUESTS and get(subject.port, "/api/health/live/", 5).startswith(b"HTTP/1.1 200 "):
            answered += 1
    subject.process.terminate()
    began = time.monotonic()
    try:
        end = f"exit code {subject.process.wait(PATIENCE)} after {time.monotonic() - began:.1f} s"
    except subprocess.TimeoutExpired:
        end = f"still there {PATIENCE:.0f} s later"
        subject.kill()
    return f"{answered} of {REQUESTS} requests answered, one after the other; SIGTERM: {end}"
