"""What was measured: a table for people, JSON for machines."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Row:
    """One line of the table. `ours` and `theirs` are samples in `unit` of the two things that are compared."""

    name: str
    what: str
    against: str
    reach: str
    unit: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    # Why there is no figure.
    not_measured: str = ""

    @property
    def ratio(self) -> float | None:
        """The median of the turns' ratios, or that of the medians where there were no turns; None without a comparison.

        Within a turn a machine is much the same; from one to the next it may be twice as fast.
        """
        if not (self.ours and self.theirs):
            return None
        if len(self.ours) == len(self.theirs):
            return statistics.median(
                ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)
            )
        return statistics.median(self.ours) / statistics.median(self.theirs)


def interleave(runs: dict[str, Callable[[], float]], times: int) -> dict[str, list[float]]:
    """Call each `times` times, in turn, so that whatever the machine does meanwhile happens to all of them."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times):
        names = list(runs)
        for name in names if turn % 2 == 0 else reversed(names):
            samples[name].append(runs[name]())
    return samples


def as_table(rows: list[Row]) -> str:
    """The rows in Markdown; medians."""
    cells = [["what", "here", "against", "that", "ratio", "reach"]]
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.4f}" if row.ratio < 0.01 else f"{row.ratio:.2f}"
        reason = f"not measured: {row.not_measured}"
        here = shown(row.ours, row.unit) if row.ours else reason
        there = (
            shown(row.theirs, row.unit) if row.theirs else reason if row.ours and row.not_measured else "-"
        )
        cells.append([row.what, here, row.against, there, ratio, row.reach])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    ]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def shown(samples: list[float], unit: str) -> str:
    """The median, with its unit."""
    value = statistics.median(samples)
    if unit == "B":
        return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"
    if not unit:
        return f"{value:.0f}"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"


def as_json(
    machine: dict[str, Any], rows: list[Row], curves: list[Any], details: dict[str, Any]
) -> dict[str, Any]:
    """All samples, and what they were measured on."""
    return {
        "machine": machine,
        "rows": [asdict(row) | {"ratio": row.ratio} for row in rows],
        "curves": [asdict(curve) for curve in curves],
        **details,
    }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) * 1024
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model,
        "memory": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def described(facts: dict[str, Any]) -> str:
    """The day and the machine, as a line for a page."""
    return f"{day()}: {computer(facts)}; load at the start {facts['load']:.1f}."


def computer(facts: dict[str, Any]) -> str:
    """The machine alone."""
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['memory'] / 2**30:.0f} GiB, Linux {facts['kernel']},"
        f" Python {facts['python']}"
    )


def day() -> str:
    """Today, for a page."""
    return time.strftime("%d %B %Y", time.gmtime()).lstrip("0")
