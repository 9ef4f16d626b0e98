"""Whether the container's memory can hold the workers. When it cannot, the kernel ends it without a word."""

from __future__ import annotations

import re
from pathlib import Path

from . import log
from .cgroups import CGROUPS, OWN_CGROUP, groups, read

# What a worker adds after some requests, as a part of its master's own memory: what it writes to is no longer shared.
# docs/performance.md has the measurement.
WORKER = 0.3
MB = 1_000_000


def limit(cgroups: Path = CGROUPS, own_cgroup: Path = OWN_CGROUP) -> int | None:
    """The least of the control groups' memory limits, in bytes; None without one.

    They are `memory.max` of version 2 (the kernel's Documentation/admin-guide/cgroup-v2.rst) and
    `memory.limit_in_bytes` of version 1, whose "unlimited" is a number that no machine has.
    """
    found = []
    for group in groups(cgroups, own_cgroup, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = read(group / name).strip()
            if text.isdecimal() and int(text) < 1 << 60:
                found.append(int(text))
    return min(found, default=None)


def warn_if_too_little(workers: int) -> None:
    """To be called when the application is loaded: what this process has by then is what each worker begins with."""
    most = limit()
    own = re.search(r"^RssAnon:\s+(\d+) kB$", read(Path("/proc/self/status")), re.MULTILINE)
    if most is None or own is None:
        return
    master = int(own[1]) * 1024
    worker = master * WORKER
    if master + workers * worker <= most:
        return
    fitting = int((most - master) / worker)
    advice = f"set WEB_CONCURRENCY to {fitting} at most, or raise" if fitting >= 1 else "raise"
    log.warning(
        f"The memory limit of {most / MB:.0f} MB cannot hold the server with its application"
        f" ({master / MB:.0f} MB) and {workers} workers of about {worker / MB:.0f} MB more each: {advice} the limit to"
        f" {(master + workers * worker) / MB:.0f} MB or more. Beyond it, the kernel kills workers without a word."
    )
