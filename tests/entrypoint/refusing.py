"""The kernel refuses system calls, whoever asks: limits do not hold root, which tests may be (seccomp(2), classic BPF)."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

# AUDIT_ARCH_*, and the numbers of system calls.
ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        {"flock": 73, "link": 86, "linkat": 265, "clone": 56, "fork": 57, "vfork": 58, "clone3": 435},
    ),
    "aarch64": (0xC00000B7, {"flock": 32, "linkat": 37, "clone": 220, "clone3": 435}),
}


def locks() -> None:
    """From now on flock fails with ENOLCK in this process, as on some network file systems."""
    refuse(errno.ENOLCK, "flock")


def links() -> None:
    """From now on this process can make no hard links, as on some file systems."""
    refuse(errno.EPERM, "link", "linkat")


def processes() -> None:
    """From now on this process can start neither a process nor a thread, as at a limit on them."""
    refuse(errno.EAGAIN, "clone", "fork", "vfork", "clone3")


def refuse(error: int, *calls: str) -> None:
    """Let system calls fail with an error number in this process and in those it starts, for as long as they live."""
    architecture, numbers = ARCHITECTURES[platform.machine()]
    refused = [numbers[call] for call in calls if call in numbers]
    instructions = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 0, len(refused) + 1, architecture),
        (0x20, 0, 0, 0),  # load the system call's number
        *((0x15, len(refused) - index, 0, number) for index, number in enumerate(refused)),
        (0x06, 0, 0, 0x7FFF0000),  # allow
        (0x06, 0, 0, 0x00050000 | error),
    ]
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(buffer))
    )
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert prctl(22, 2, filters, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
