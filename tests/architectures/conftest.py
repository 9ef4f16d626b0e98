"""The image for the other architecture than this machine's, and an emulator of that one's processor."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container import images as building
from tests.container.lab import remove_all
from tests.container.needs import need_engine, unavailable
from tests.image.conftest import Image, read_image

BINFMT = Path("/proc/sys/fs/binfmt_misc")


@dataclass(frozen=True)
class Architecture:
    """How an architecture is called by images and by the kernel, and its number in the head of an ELF file."""

    name: str
    machine: str
    elf: int

    @property
    def rule(self) -> str:
        """What has the kernel start a program of the architecture with qemu (kernel documentation, binfmt-misc).

        The magic is an ELF file's head: 64 bits, the lower ones first, a program or library. With P a program gets the name
        that it was called by, by which busybox knows what to do; with F the kernel opens qemu now, so that it is there in
        containers too.
        """
        magic = f"\\x7fELF\\x02\\x01\\x01{r'\x00' * 9}\\x02\\x00\\x{self.elf:02x}\\x00"
        mask = f"{r'\xff' * 7}\\x00{r'\xff' * 8}\\xfe\\xff\\xff\\xff"
        return f":{self.rule_name}:M::{magic}:{mask}:{self.emulator}:PF"

    @property
    def rule_name(self) -> str:
        return f"qemu-{self.machine}"

    @property
    def emulator(self) -> str | None:
        # Where only the first is there, it is static as well (Debian 13).
        return shutil.which(f"qemu-{self.machine}-static") or shutil.which(f"qemu-{self.machine}")


ARCHITECTURES = [Architecture("amd64", "x86_64", 62), Architecture("arm64", "aarch64", 183)]
(OTHER,) = [each for each in ARCHITECTURES if each.machine != platform.machine()]
(OWN,) = [each for each in ARCHITECTURES if each != OTHER]


@pytest.fixture(scope="session")
def other_archive() -> Path:
    return building.build(f"image-{OTHER.name}")


@pytest.fixture(scope="session")
def other(other_archive) -> Image:
    return read_image(other_archive)


@pytest.fixture(scope="session")
def own() -> Image:
    return read_image(building.build("image"))


@pytest.fixture(scope="session")
def emulation() -> Iterator[None]:
    """Programs of the other architecture run on this machine, unless they do already, until the tests end."""
    if OTHER.emulator is None:
        unavailable(f"qemu-{OTHER.machine} is not installed: apt-get install qemu-user-static")
    if os.geteuid() != 0:
        unavailable("only root can have the kernel start programs with an emulator")
    mounted = not (BINFMT / "register").exists()
    if mounted:
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=True)
    registered = not (BINFMT / OTHER.rule_name).exists()
    if registered:
        (BINFMT / "register").write_text(OTHER.rule)
    yield
    if registered:
        (BINFMT / OTHER.rule_name).write_text("-1")
    if mounted:
        subprocess.run(["umount", BINFMT], check=True)


@pytest.fixture
def engine() -> Iterator[None]:
    need_engine()
    yield
    remove_all()
