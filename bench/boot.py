"""Boot and memory, against the documents' own sequence and against gunicorn as it comes."""

from __future__ import annotations

import time
from pathlib import Path

from bench.lab import Lab, Site, boot, request
from bench.report import Row, interleave

REQUESTS = 200


def rows(lab: Lab, times: int) -> list[Row]:
    """Boots with nothing to do and with all to do, and the memory of what serves; the documents' way beside it."""
    ours, theirs = lab.site("ours"), lab.site("theirs")
    first = interleave(
        {
            "ours": lambda: first_boot(ours, lab.entrypoint),
            "theirs": lambda: first_boot(theirs, lab.documents),
        },
        times,
    )
    # Now the databases are up to date and the static files in place.
    again = interleave(
        {
            "ours": lambda: boot(lab.entrypoint, ours),
            "theirs": lambda: boot(lab.documents, theirs),
            "gunicorn": lambda: boot(lab.gunicorn, theirs),
        },
        times,
    )
    not_preloading = Path(theirs.folder, "not_preloading.py")
    not_preloading.write_text(
        Path(theirs.folder, "gunicorn_config.py").read_text() + "\npreload_app = False\n"
    )
    theirs.environment["CONFIG"] = not_preloading.name
    memory = interleave(
        {"ours": lambda: memory_of(ours, lab.entrypoint), "theirs": lambda: memory_of(theirs, lab.gunicorn)},
        max(1, times // 3),
    )
    sequence = "pg_isready; migrate; collectstatic; gunicorn"
    return [
        Row(
            "boot",
            "boot to the first 200, nothing to do",
            sequence,
            "0.30",
            "s",
            again["ours"],
            again["theirs"],
        ),
        Row(
            "gunicorn",
            "bare gunicorn, preloading",
            sequence,
            "(the floor)",
            "s",
            again["gunicorn"],
            again["theirs"],
        ),
        Row("first-boot", "first boot, all to do", sequence, "0.60", "s", first["ours"], first["theirs"]),
        Row(
            "memory",
            f"memory (PSS), idle after {REQUESTS} requests",
            "gunicorn, not preloading",
            "0.60",
            "B",
            memory["ours"],
            memory["theirs"],
        ),
    ]


def first_boot(site: Site, command: list[str]) -> float:
    """Seconds to the first 200, with an empty database and an empty static directory."""
    site.reset()
    return boot(command, site)


def memory_of(site: Site, command: list[str]) -> float:
    """Bytes that master and workers take, shared pages divided among those who share them."""
    with site.running(command) as process:
        for _ in range(REQUESTS):
            request(site.port, "/api/health/")
        time.sleep(1)
        return float(sum(proportional_set_size(pid) for pid in family(process.pid)))


def family(pid: int) -> list[int]:
    """The process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def proportional_set_size(pid: int) -> int:
    """Bytes of a process's memory, what it shares divided among those who share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
