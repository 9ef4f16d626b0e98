"""The last stage, serve: this very process becomes gunicorn's master, with the application loaded."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import threading
from pathlib import Path
from typing import Any

from .. import capture, log, memory, reconnection, request_id, rotation, secretfiles
from ..configuration import Configuration
from ..errors import BootError, ExitCode, describe, owner
from ..served import publish
from ..server.address import refusal, shown
from ..server.application import Application
from ..server.listeners import TCP6Listener, TCPListener, UnixListener
from ..server.master import Master
from ..server.metrics import Endpoint
from ..static.lock import locked


def serve(configuration: Configuration) -> None:
    """Serve until told to stop; ends by SystemExit, as gunicorn does.

    Raises BootError: SERVER for an address or a configuration that cannot be used, and for want of workers;
    APPLICATION when the application cannot be imported.
    """
    _warn_of_media()
    application = Application(configuration)
    if application.cfg.preload_app:
        with _static_files_at_rest():
            application.load_now()
    cfg = application.cfg
    memory.warn_if_too_little(cfg.workers)
    log.info(f"Serving {configuration.application} on {shown(cfg.address)}, workers: {cfg.workers}.")
    _leave_nothing_behind()
    request_id.in_queries()
    reconnection.outlive()
    if secretfiles.files():
        rotation.renew_when_refused()
    master = os.getpid()
    arbiter = None
    try:
        arbiter = Master(application)
        # gunicorn would try five times, in vain and at length. Inherited sockets are left to it.
        if not (os.environ.get("LISTEN_FDS") or os.environ.get("GUNICORN_FD") or application.cfg.reuse_port):
            arbiter.LISTENERS = _listen(application, arbiter.log)
        if configuration.metrics:
            arbiter.endpoint = Endpoint(configuration.metrics, arbiter.metrics)
        _tell_health_check(configuration, arbiter)
        log.stage("")
        arbiter.run()
    except SystemExit as end:
        # Workers end here, too: only the master's reason is the boot's.
        if os.getpid() == master and arbiter and arbiter.failure:
            raise arbiter.failure from end
        if os.getpid() == master and end.code in (Master.WORKER_BOOT_ERROR, Master.APP_LOAD_ERROR):
            raise BootError(
                ExitCode.APPLICATION,
                "No worker could start: see the errors above, and correct the application.",
            ) from end
        raise
    except BootError:
        raise
    except Exception as error:
        raise BootError(ExitCode.SERVER, f"gunicorn cannot start: {describe(error)}.", cause=error) from error


def _tell_health_check(configuration: Configuration, arbiter: Master) -> None:
    """The first address, unless it is the one that the health check knows by GUNICORN_BIND or PORT."""
    bound = [listener.sock.getsockname() for listener in arbiter.LISTENERS] or arbiter.cfg.address
    first = bound[0]
    address = tuple(first[:2]) if isinstance(first, tuple) else os.fsdecode(first)
    publish(None if address == (configuration.host, configuration.port) else address)


def _warn_of_media() -> None:
    """A volume that is root's is a healthy server whose uploads all fail."""
    from django.conf import settings

    root = Path(settings.MEDIA_ROOT).absolute() if settings.MEDIA_ROOT else None
    if root and root.exists() and not os.access(root, os.W_OK | os.X_OK):
        log.warning(
            f"MEDIA_ROOT cannot be written to, so uploads will fail ({owner(root)}): give the volume to this user."
        )


def _static_files_at_rest() -> contextlib.AbstractContextManager[None]:
    """Middleware lists the static directory; another replica may be publishing into it."""
    from django.conf import settings

    root = settings.STATIC_ROOT
    return locked(Path(root), fcntl.LOCK_SH) if root and os.path.isdir(root) else contextlib.nullcontext()


def _leave_nothing_behind() -> None:
    """What workers must not inherit: connections, threads, garbage."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        log.warning(
            f"Importing the application started threads, which workers will not have: {', '.join(threads)}."
            " Start them in gunicorn's post_fork, or set preload_app = False in gunicorn_config.py."
        )
    capture.finish()
    gc.collect()
    gc.freeze()  # the workers' collections leave these objects' memory shared


def _listen(application: Application, logger: Any) -> list[Any]:
    listeners = []
    for address in application.cfg.address:
        try:
            if isinstance(address, tuple):
                kind = TCP6Listener if ":" in address[0] else TCPListener
            else:
                kind = UnixListener
            listeners.append(kind(address, application.cfg, logger))
        except (OSError, ValueError) as error:
            raise refusal(address, error) from error
    return listeners
