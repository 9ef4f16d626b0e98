"""gunicorn's master, where its own way to stop loses requests, and its way to reload the server.

gunicorn closes its listening socket, but workers that are busy keep it open: new connections are neither
refused nor answered, and what nobody has accepted yet is cut off. And a worker that has just been forked loses
the signal to stop, so that the master waits for it in vain. At SIGHUP a wrong configuration ends it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import time
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.sock import TCP6Socket, TCPSocket, UnixSocket

from .. import log
from ..errors import BootError, describe

DRAIN = 1.0  # seconds for connections that the kernel has accepted and no worker yet
POLL = 0.001  # seconds
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Master(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """At SIGTERM and SIGINT: refuses new connections, finishes those that it has, ends. At SIGHUP: goes on."""

    def handle_int(self) -> None:
        """The same as SIGTERM; gunicorn would drop the requests. A second one still does. Called by gunicorn."""
        self.handle_term()

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers; called by gunicorn."""
        # A socket that another process listens on, too, is not ours to shut down.
        alone = self.reexec_pid == self.master_pid == 0 and not self.systemd and not self.cfg.reuse_port
        if graceful and alone:
            _refuse(self.LISTENERS)
        super().stop(graceful)

    def reload(self) -> None:
        """Take the new configuration, or keep the one there is if it cannot be used; called by gunicorn at SIGHUP."""
        before = self.cfg
        try:
            super().reload()
        except (Exception, SystemExit) as error:
            if os.getpid() != self.pid:  # a worker that ends
                raise
            reason = str(error) if isinstance(error, BootError) else f"{describe(error)}."
            log.error(f"The server keeps its configuration, the new one cannot be used: {reason}")
            self.app.cfg = before
            os.environ.update(before.env)  # gunicorn has taken it back
            if self.cfg is not before:
                self.setup(self.app)

    def spawn_worker(self) -> Any:
        """Fork; called by gunicorn. Until the worker has handlers of its own, signals simply end it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        _Forking.now = True
        try:
            return super().spawn_worker()
        finally:
            _Forking.now = False
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Forking:
    """Tells the fork of a worker from any other."""

    now = False

    @classmethod
    def in_child(cls) -> None:
        if cls.now:
            cls.now = False
            for number in STOPPING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


os.register_at_fork(after_in_child=_Forking.in_child)


def _refuse(listeners: list[Any]) -> None:
    """Shut the listening sockets down, at a moment when nobody waits in their queues."""
    deadline = time.monotonic() + DRAIN
    for listener in listeners:
        while select.select([listener], [], [], 0)[0] and time.monotonic() < deadline:
            time.sleep(POLL)  # the workers are still accepting
        # A kind of socket that cannot be shut down is closed in a moment.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # for every process that has it open


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


class TCPListener(_Listener, TCPSocket):  # type: ignore[misc]  # gunicorn has no types
    """IPv4."""


class TCP6Listener(_Listener, TCP6Socket):  # type: ignore[misc]  # gunicorn has no types
    """IPv6."""


class UnixListener(_Listener, UnixSocket):  # type: ignore[misc]  # gunicorn has no types
    """A path."""
