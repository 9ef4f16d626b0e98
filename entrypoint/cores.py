"""How many CPU cores this process may use, which in a container is rarely what the host has."""

from __future__ import annotations

import math
import os
from pathlib import Path

from .cgroups import CGROUPS, OWN_CGROUP, groups, read


def usable_cores(cgroups: Path = CGROUPS, own_cgroup: Path = OWN_CGROUP) -> int:
    """The least of the CPU affinity's size and the CPU quotas (rounded up) of the control groups; at least 1.

    Quotas are `cpu.max` of control groups version 2 (the kernel's Documentation/admin-guide/cgroup-v2.rst),
    and `cpu.cfs_quota_us` with `cpu.cfs_period_us` of version 1.
    """
    limits = [float(len(os.sched_getaffinity(0)))]
    for group in groups(cgroups, own_cgroup, "cpu", "cpu,cpuacct"):
        quota, period = _version_2(group) or _version_1(group) or (0, 0)
        if quota > 0 and period > 0:
            limits.append(quota / period)
    return max(1, math.ceil(min(limits)))


def _version_2(group: Path) -> tuple[int, int] | None:
    return _numbers(read(group / "cpu.max").split())


def _version_1(group: Path) -> tuple[int, int] | None:
    return _numbers([read(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")])


def _numbers(texts: list[str]) -> tuple[int, int] | None:
    if len(texts) == 2 and all(text.isdecimal() for text in texts):
        return int(texts[0]), int(texts[1])
    return None  # "max", -1, or no such file: no quota
