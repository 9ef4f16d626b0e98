"""What a soak has shown, for assertions and for a page."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.soak.clients import Asked, Record
from tests.soak.containers import Readings
from tests.soak.events import SHORT, Happened, Moment

# Why a request may have failed; the reason that excuses nothing is "".
KILLED = "a worker was killed"
RESTARTED = f"PostgreSQL was away for less than {SHORT:g} s"
AWAY = "PostgreSQL was away for longer"
SERVICES = {"backend": "two replicas", "proxy": "HAProxy", "worker": "the worker", "db": "PostgreSQL"}


@dataclass
class Stored:
    """What is there in the end: photos' digests by meals' names, as rows lead to them; and all files' names."""

    rows: dict[str, str]
    files: set[str]


@dataclass
class Results:
    seconds: float
    load: float  # the machine's, at the start
    record: Record
    happened: Happened
    readings: Readings
    stored: Stored
    unhealthy: int  # replicas that Swarm has ended for that

    def meanwhile(self, asked: Asked) -> str:
        """What happened while the request was under way, of what may explain its failure: a dead worker answers nothing."""
        if met(self.happened.kills, asked) and asked.outcome not in ("500", "503"):
            return KILLED
        if met(self.long, asked):
            return AWAY
        return RESTARTED if met(self.short, asked) else ""

    def thirds(self, service: str, what: str) -> tuple[float, float]:
        """As of the readings; between releases, when there are as many containers as there should be."""
        rolling = self.happened.rolling
        return self.readings.thirds(
            service, what, lambda at: any(each.began <= at <= each.ended for each in rolling)
        )

    @property
    def short(self) -> list[Moment]:
        return [each for each in self.happened.restarts if each.seconds < SHORT]

    @property
    def long(self) -> list[Moment]:
        return [each for each in self.happened.restarts if each.seconds >= SHORT]

    @property
    def text(self) -> str:
        """All of it in Markdown."""
        return f"{self._circumstances()}\n\n{self._requests()}\n\n{self._resources()}\n\n{self._uploads()}"

    def _circumstances(self) -> str:
        away = [each.seconds for each in self.happened.restarts]
        outages = f"{statistics.median(away):.2f} s in the middle, {max(away):.2f} s at most" if away else "-"
        ends = Counter(self.happened.releases)
        return (
            f"{time.strftime('%d %B %Y', time.gmtime()).lstrip('0')}, {self.seconds:.0f} s on"
            f" {len(os.sched_getaffinity(0))} cores (load at the start {self.load:.1f}):"
            f" {len(away)} restarts of PostgreSQL (away for {outages}; {len(self.short)} times for less than {SHORT:g} s),"
            f" {len(self.happened.kills)} workers killed,"
            f" {len(self.happened.releases)} releases"
            f" ({', '.join(f'{count} {state}' for state, count in ends.items()) or '-'}),"
            f" {self.unhealthy} replicas ended as unhealthy."
        )

    def _requests(self) -> str:
        reasons = ("", KILLED, RESTARTED, AWAY)
        rows = [["requests", "sent", "failed", *(f"while {each}" if each else "else" for each in reasons)]]
        kinds = sorted({(each.method, each.what) for each in self.record.asked})
        groups = [
            (f"{method} {what}", [a for a in self.record.asked if (a.method, a.what) == (method, what)])
            for method, what in kinds
        ]
        for name, asked in [*groups, ("all", self.record.asked)]:
            failed = [each for each in asked if not each.right]
            by_reason = [
                described(each for each in failed if self.meanwhile(each) == reason) for reason in reasons
            ]
            rows.append([name, str(len(asked)), str(len(failed)), *by_reason])
        return table(rows)

    def _resources(self) -> str:
        rows = [
            ["first and last third of the time, between releases", "memory, MB", "descriptors", "processes"]
        ]
        for service, title in SERVICES.items():
            figures = [
                "{:.{d}f}, {:.{d}f}".format(*(each / unit for each in self.thirds(service, what)), d=d)
                for what, unit, d in (("memory", 1e6, 1), ("descriptors", 1, 0), ("processes", 1, 0))
            ]
            rows.append([title, *figures])
        return f"{table(rows)}\n\nZombies: {len(self.readings.zombies)}."

    def _uploads(self) -> str:
        return (
            f"Uploads: {len(self.record.uploads)} sent, {len(self.record.accepted)} accepted; {len(self.stored.rows)} rows,"
            f" {len(self.stored.files)} files."
        )


def met(moments: Iterable[Moment], asked: Asked) -> bool:
    return any(each.meets(asked) for each in moments)


def described(failed: Iterable[Asked]) -> str:
    counts = Counter(each.outcome for each in failed)
    return ", ".join(f"{count} × {outcome}" for outcome, count in counts.most_common()) or "-"


def table(rows: list[list[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def load() -> float:
    """The machine's load of the last minute."""
    return float(Path("/proc/loadavg").read_text().split()[0])
