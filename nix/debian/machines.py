"""The architectures that a lock has files for, and how each is called by whom."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Machine:
    """`name` is the kernel's, and the wheels'; `debian` is Debian's."""

    name: str
    debian: str
    # Of the C libraries that wheels are made for, the oldest.
    oldest: int
    # Older names of the same thing, which pip does not imply.
    older: tuple[str, ...]

    @property
    def system(self) -> str:
        """Nix's name."""
        return f"{self.name}-linux"

    @property
    def platform(self) -> str:
        """uv's name: of the C libraries that it knows, the newest. Debian 13's is 2.41."""
        return f"{self.name}-manylinux_2_40"

    @property
    def platforms(self) -> list[str]:
        """The platforms whose wheels run there, the best first."""
        tags = [f"manylinux_2_{minor}" for minor in range(41, self.oldest - 1, -1)]
        return [f"{tag}_{self.name}" for tag in (*tags, *self.older, "linux")]


X86_64 = Machine("x86_64", "amd64", 5, ("manylinux2014", "manylinux2010", "manylinux1"))
AARCH64 = Machine("aarch64", "arm64", 17, ("manylinux2014",))
MACHINES = (X86_64, AARCH64)

# This machine; where it is none of them, it builds nothing.
OWN = next((machine for machine in MACHINES if machine.name == os.uname().machine), X86_64)
OTHER = AARCH64 if OWN is X86_64 else X86_64


def machine_of(wheel: str) -> Machine:
    """The one that a wheel is for, by the name of its file; this machine, if it is for any."""
    platform = wheel.removesuffix(".whl").rpartition("-")[2]
    return next((each for each in MACHINES if re.search(rf"_{each.name}(\.|$)", platform)), OWN)


def part_of(lock: dict[str, Any], machine: Machine) -> dict[str, Any] | None:
    """What the lock has for the machine: its own fields, or those below the system's name. None if it has nothing."""
    if machine is X86_64:
        return lock
    found: dict[str, Any] | None = lock.get(machine.system)
    return found
