"""gunicorn's master, where its own way to stop loses requests, and its way to reload the server.

gunicorn closes its listening socket, but workers that are busy keep it open: new connections are neither
refused nor answered, and what nobody has accepted yet is cut off. And a worker that has just been forked loses
the signal to stop, so that the master waits for it in vain. At SIGHUP a wrong configuration ends it.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import time
import traceback
import weakref
from collections import deque
from queue import Empty
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers import workertmp

from .. import log, rotation
from ..errors import BootError, ExitCode, describe, lacks_processes, no_process
from .handover import Handover
from .listeners import are_connecting, hand_over_at_once, overlook_newcomers, shut_down
from .metrics import Endpoint, text
from .temporary import Temporary, use

# Seconds at most for a client that has just connected to be handed over: it need not have sent anything, and is asked for
# its part of the handshake again after a second.
CONNECTING = 1.2
DRAIN = 1.0  # seconds, at most, for handshakes that are under way when no further one can begin
POLL = 0.005  # seconds
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Master(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """At SIGTERM and SIGINT: refuses new connections, finishes those that it has, ends. At SIGHUP: goes on.

    `failure` says why no worker could be started, if that is why it ended.
    """

    failure: BootError | None = None
    endpoint: Endpoint | None = None  # of the metrics
    _complete = False  # whether all workers have been started once
    _told = ""  # why there can be no further worker, as the log has it

    def __init__(self, application: Any) -> None:
        self._stopping: weakref.WeakSet[Any] = weakref.WeakSet()  # workers
        application.handover = Handover()
        self._temporary = Temporary()
        self._counters = application.counters
        super().__init__(application)

    def metrics(self) -> str:
        """What the endpoint says."""
        assert self._counters
        return text(self._counters, list(self.WORKERS), self.LISTENERS)

    def handle_int(self) -> None:
        """The same as SIGTERM; gunicorn would drop the requests. A second one still does. Called by gunicorn."""
        self.handle_term()

    def handle_cld(self) -> None:
        """A worker has ended; gunicorn 24.0 calls the signal so, and knows it by its other name alone."""
        self.handle_chld()

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers; called by gunicorn."""
        # A socket that another process listens on, too, is not ours to shut down.
        alone = self.reexec_pid == self.master_pid == 0 and not self.systemd and not self.cfg.reuse_port
        if graceful and alone:
            self._close(self.cfg.graceful_timeout)
        super().stop(graceful)
        self._temporary.end()

    def reap_workers(self) -> None:
        """Learn which workers have ended, and remove what they have left; called by gunicorn."""
        try:
            super().reap_workers()
        finally:
            self._temporary.keep(self.WORKERS)

    def _close(self, grace: float) -> None:
        """Shut the listening sockets down when nobody is about to be in their queues.

        Whoever is is accepted, and passed on to the workers. What these have not come to within the grace period, in
        seconds, is lost. What this took of it, requests in flight do not have any more.
        """
        began = time.monotonic()
        waiting: deque[tuple[int, Any]] = deque()
        for listener in self.LISTENERS:
            hand_over_at_once(listener)
        self._drain(waiting, CONNECTING, newcomers=True)
        for listener in self.LISTENERS:
            overlook_newcomers(listener)
        time.sleep(POLL)  # for the last that has not been overlooked
        self._drain(waiting, DRAIN, newcomers=False)
        for listener in self.LISTENERS:
            shut_down(listener)
        self._accept(waiting)  # those that are left: it is a Unix socket
        now = time.monotonic()
        while not self._pass_on(waiting) and now < began + grace and not self._is_hurried():
            with contextlib.suppress(HaltServer):
                self.reap_workers()
            self.manage_workers()
            time.sleep(POLL)
            now = time.monotonic()
        left = max(1, math.ceil(grace - (now - began)))
        self.cfg.set("graceful_timeout", left)
        self.app.handover.until = now + left

    def _drain(self, waiting: deque[tuple[int, Any]], seconds: float, *, newcomers: bool) -> None:
        """Accept, and pass on, until nobody is connecting, or in the queues if there are no newcomers; so long at most."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._is_hurried():
            connecting = are_connecting(self.LISTENERS)  # first: who is not any more is in the queue
            accepted = self._accept(waiting)
            self._pass_on(waiting)
            if not connecting and (newcomers or not accepted):
                return
            time.sleep(POLL)
        self._accept(waiting)

    def _accept(self, waiting: deque[tuple[int, Any]]) -> bool:
        """Accept whoever waits, if the workers take connections from here; whether there was anybody."""
        if self.cfg.is_ssl or not getattr(self.worker_class, "takes_over", False):
            return bool(select.select(self.LISTENERS, [], [], 0)[0])  # they are still accepting
        before = len(waiting)
        for number, listener in enumerate(self.LISTENERS):
            with contextlib.suppress(OSError):
                while True:
                    waiting.append((number, listener.accept()[0]))
        return len(waiting) > before

    def _pass_on(self, waiting: deque[tuple[int, Any]]) -> bool:
        """Give the workers as many as there is room for; whether none is left."""
        while waiting and self.app.handover.give(*waiting[0]):
            waiting.popleft()
        return not waiting

    def _is_hurried(self) -> bool:
        """Whether a second signal says not to wait; gunicorn, which takes it from its queue, finds it there."""
        hurry = (signal.SIGINT, signal.SIGQUIT)
        if isinstance(self.SIG_QUEUE, list):  # before gunicorn 25
            return any(number in hurry for number in self.SIG_QUEUE)
        with contextlib.suppress(Empty):
            number = self.SIG_QUEUE.get_nowait()
            if number in hurry:
                self.SIG_QUEUE.put_nowait(number)
                return True
        return False

    def reload(self) -> None:
        """Take new secrets and the new configuration, or keep what there is if they cannot be used.

        Called by gunicorn at SIGHUP.
        """
        rotation.renew()
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

    def manage_workers(self) -> None:
        """Start workers that are missing, stop those that are too many; called by gunicorn, first of all at start."""
        super().manage_workers()
        if not self._complete and self.endpoint:
            self.endpoint.start()  # once there are workers: no thread is there while they are forked for the first time
        self._complete = True

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a worker a signal; called by gunicorn, which tells one that takes its time to stop again and again.

        Once is enough: Python has given its handlers up when the worker's last steps are done, and the log would call it
        killed.
        """
        worker = self.WORKERS.get(pid)
        if sig == signal.SIGTERM and worker is not None:
            if worker in self._stopping:
                return
            self._stopping.add(worker)
        super().kill_worker(pid, sig)

    def spawn_worker(self) -> Any:
        """Fork; called by gunicorn. Until the worker has handlers of its own, signals simply end it.

        When there can be no worker, it is the end of a server that is starting (see `failure`). One that serves goes on
        with those that it has: gunicorn tries again in a second.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        mask = os.umask(0o077)
        os.umask(mask)
        _Forking.now, _Forking.folder = self, self._temporary.make()
        if self._counters:
            self._counters.reserve(self.WORKERS)
        try:
            pid = super().spawn_worker()
            self._temporary.assign(_Forking.folder, pid)
            if self._counters:
                self._counters.assign(pid)
            self._told = ""
            return pid
        except Exception as error:
            if os.getpid() != self.pid:
                raise
            os.umask(mask)  # gunicorn forgets to when it cannot make the worker's file
            failure = _no_worker(error)
            if not self._complete:
                self.failure = failure
                raise StopIteration from error  # as at SIGTERM
            if self._told != str(failure):
                self._told = str(failure)
                log.error(self._told)
            return None
        finally:
            _Forking.now = None
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _no_worker(error: Exception) -> BootError:
    if lacks_processes(error):
        return no_process(error)
    advice = "; see that /dev/shm or /tmp is writable, and worker_tmp_dir is right"
    return BootError(
        ExitCode.SERVER,
        f"No worker can be started: {describe(error)}{advice if _about_files(error) else ''}.",
        cause=error,
    )


def _about_files(error: Exception) -> bool:
    """Whether the file in which a worker shows that it is alive cannot be made."""
    return any(frame.filename == workertmp.__file__ for frame in traceback.extract_tb(error.__traceback__))


class _Forking:
    """Tells the fork of a worker from any other."""

    now: Master | None = None
    folder = ""  # of the worker's temporary files

    @classmethod
    def in_child(cls) -> None:
        if cls.now:
            if cls.now.endpoint:
                cls.now.endpoint.close()
            cls.now = None
            use(cls.folder)
            for number in STOPPING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


os.register_at_fork(after_in_child=_Forking.in_child)
