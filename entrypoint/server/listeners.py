"""Listening sockets, and how they end."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
from pathlib import Path
from typing import Any

from gunicorn.sock import TCP6Socket, TCPSocket, UnixSocket

SILENCE = 10  # seconds

_SYN_RECV = "03"  # of Linux' <net/tcp_states.h>

_SO_ATTACH_FILTER = 26  # of Linux' <asm-generic/socket.h>; Python does not name it
_SYN, _ACK, _FLAGS = 0x02, 0x10, 13  # in a TCP header (RFC 9293, section 3.1)
# Linux' <linux/filter.h>: code, steps to skip if true, if false, operand. A packet of which 0 bytes are kept is dropped.
_NO_NEWCOMERS = (
    (0x30, 0, 0, _FLAGS),  # load a byte
    (0x54, 0, 0, _SYN | _ACK),  # and
    (0x15, 0, 1, _SYN),  # equal?
    (0x06, 0, 0, 0),  # return
    (0x06, 0, 0, 0xFFFFFFFF),
)


def hand_over_at_once(listener: Any) -> None:
    """Let `accept` have clients that have sent nothing yet, too, from now on; see _ListenerTCP."""
    with contextlib.suppress(OSError):  # gVisor's kernel, for one; and a Unix socket keeps nobody back
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 0)


def overlook_newcomers(listener: Any) -> None:
    """Have the kernel drop clients' first packets from now on: they try again in a second, and are refused then.

    Whoever has had an answer to it can still complete the handshake. On a Unix socket there is none.
    """
    if listener.family == socket.AF_UNIX:
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_NEWCOMERS))
    with contextlib.suppress(OSError):  # gVisor's kernel
        filtering = struct.pack("HP", len(_NO_NEWCOMERS), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filtering)


def are_connecting(listeners: list[Any]) -> bool:
    """Whether a handshake is under way, or done but for the kernel, which still waits for the client to send something.

    True as well if nobody can tell.
    """
    ports = tuple(f":{each.getsockname()[1]:04X}" for each in listeners if each.family != socket.AF_UNIX)
    if not ports:
        return False
    try:
        table = Path("/proc/net/tcp").read_text()
        with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
            table += Path("/proc/net/tcp6").read_text()
    except OSError:
        return True
    # proc_net_tcp(5): a line's number, its local and remote address, its state
    lines = (line.split()[1:4] for line in table.splitlines())
    return any(local.endswith(ports) and state == _SYN_RECV for local, _, state in lines)


def shut_down(listener: Any) -> None:
    """Refuse connections from now on, for every process that has the socket open. Those that wait are lost."""
    # A kind of socket that cannot be shut down is closed in a moment.
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


class _Listener:
    """A listening socket that, once it is shut down, is merely one on which nobody waits."""

    sock: Any

    def accept(self) -> Any:
        """Called by workers."""
        try:
            return self.sock.accept()
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
            raise


class _ListenerTCP(_Listener):
    """Lets the kernel keep connections on which nothing arrives: a worker takes those that have something for it."""

    def set_options(self, sock: Any, bound: bool = False) -> Any:
        """Called by gunicorn."""
        with contextlib.suppress(OSError):  # gVisor's kernel, for one
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENCE)
        return super().set_options(sock, bound=bound)  # type: ignore[misc]  # gunicorn's


class TCPListener(_ListenerTCP, TCPSocket):  # type: ignore[misc]  # gunicorn has no types
    """IPv4."""


class TCP6Listener(_ListenerTCP, TCP6Socket):  # type: ignore[misc]  # gunicorn has no types
    """IPv6."""


class UnixListener(_Listener, UnixSocket):  # type: ignore[misc]  # gunicorn has no types
    """A path."""
