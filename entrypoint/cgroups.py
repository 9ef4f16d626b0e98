"""The control groups that this process is in: where limits are written that a container has and the host has not."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def groups(cgroups: Path, own_cgroup: Path, *controllers: str) -> list[Path]:
    """The process's own group with its ancestors (each may set a limit), and where version 1 keeps the controllers'."""
    path = ""
    for line in read(own_cgroup).splitlines():
        hierarchy, _, rest = line.partition(":")
        if hierarchy == "0":
            path = rest.partition(":")[2].strip("/")
    own = cgroups / path
    ancestors = [own, *own.parents][: len(own.relative_to(cgroups).parts) + 1] if ".." not in path else []
    return [*ancestors, cgroups, *(cgroups / controller for controller in controllers)]


def read(path: Path) -> str:
    """The file's text; empty if there is none."""
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
