"""Listening sockets, and how they end."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Any

from gunicorn.sock import TCP6Socket, TCPSocket, UnixSocket

SILENCE = 10  # seconds


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
