"""SIGTERM, and what becomes of the requests that are there."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter

from bench.lab import get
from bench.subject import Subject

CLIENTS = 8
BEFORE, AFTER = 1.0, 3.0  # seconds in which workers wait, until the signal and from then on


def saturated(subject: Subject) -> str:
    """Stop a server whose workers are all busy while others wait in the queue of its socket."""
    lock = subject.site.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE meals_meal")
    seen: Counter[str] = Counter()

    def client() -> None:
        try:
            answer = get(subject.port, "/api/meals/").partition(b"\r\n")[0].decode()
        except OSError as error:
            answer = type(error).__name__
        seen[answer.removeprefix("HTTP/1.1 ") or "closed"] += 1

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    time.sleep(BEFORE)
    subject.process.send_signal(signal.SIGTERM)
    time.sleep(AFTER)
    lock.close()
    for each in clients:
        each.join()
    code = subject.process.wait()
    answers = ", ".join(f"{count} {answer}" for answer, count in seen.most_common())
    return f"{answers}; exit code {code}"
