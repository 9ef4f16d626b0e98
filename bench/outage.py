"""PostgreSQL is restarted while ordinary clients read a table."""

from __future__ import annotations

import threading
import time

from bench.ordinary import Load, ordinary
from bench.release import PATH
from bench.subject import Subject

RESTARTS = 10
PAUSE = 3.0  # seconds before each of them


def restarted(subject: Subject) -> str:
    """Restart it, again and again."""
    loads: list[Load] = []
    seconds = RESTARTS * (PAUSE + 1)
    clients = threading.Thread(target=lambda: loads.append(ordinary(subject.port, seconds, PATH)))
    clients.start()
    took = []
    for _ in range(RESTARTS):
        time.sleep(PAUSE)
        began = time.monotonic()
        subject.site.lab.cluster.restart()
        took.append(time.monotonic() - began)
    clients.join()
    return f"{loads[0]}; longest {loads[0].longest:.1f} s; it was away for {max(took):.1f} s at most"
