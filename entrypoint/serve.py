"""The last stage, serve: this very process becomes gunicorn's master, with the application loaded."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import runpy
import socket
import threading
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.util import import_app

from . import collect, log
from .errors import BootError, ExitCode, describe
from .master import Master, TCP6Listener, TCPListener, UnixListener
from .variables import Configuration

CONFIG_FILES = ("gunicorn_config.py", "gunicorn.conf.py")
LOGS = "logs"

# Set in the environment, these win over the project's configuration file.
_SETTINGS_OF = {
    "GUNICORN_BIND": "bind",
    "WEB_CONCURRENCY": "workers",
    "GUNICORN_TIMEOUT": "timeout",
    "GUNICORN_GRACEFUL_TIMEOUT": "graceful_timeout",
}


def serve(configuration: Configuration) -> None:
    """Serve until told to stop; ends by SystemExit, as gunicorn does.

    Raises BootError: SERVER for an address or a configuration that cannot be used, APPLICATION when the
    application cannot be imported.
    """
    application = Application(configuration)
    if application.cfg.preload_app:
        application.load_now()
    cfg = application.cfg
    log.info(f"Serving {configuration.wsgi_application} on {_shown(cfg.address)}, workers: {cfg.workers}.")
    _leave_nothing_behind()
    master = os.getpid()
    try:
        arbiter = Master(application)
        # gunicorn would try five times, in vain and at length. Inherited sockets are left to it.
        if not (os.environ.get("LISTEN_FDS") or os.environ.get("GUNICORN_FD") or application.cfg.reuse_port):
            arbiter.LISTENERS = _listen(application, arbiter.log)
        log.stage("")
        arbiter.run()
    except SystemExit as end:
        # Workers end here, too: only the master's reason is the boot's.
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


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The configuration, in gunicorn's terms: the contract's defaults, then the project's file over them."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        super().__init__()

    def do_load_config(self) -> None:
        """Called by gunicorn, at start and at SIGHUP. Raises BootError (SERVER)."""
        self.load_default_config()
        self.load_config()
        if not hasattr(self.cfg, "validate"):  # older ones have none
            return
        try:
            self.cfg.validate()
        except Exception as error:
            raise BootError(
                ExitCode.SERVER, f"gunicorn's configuration is wrong: {describe(error)}."
            ) from error

    def load_config(self) -> None:
        """Fill `self.cfg`; called by gunicorn."""
        file = next((name for name in CONFIG_FILES if os.path.exists(name)), "")
        self._set(self._defaults(), "the entrypoint")
        if file:
            self._set(self._settings_in(file), file)
        values = self._defaults()
        explicit = self._configuration.explicit
        self._set(
            {_SETTINGS_OF[name]: values[_SETTINGS_OF[name]] for name in _SETTINGS_OF.keys() & explicit}, ""
        )

    def load(self) -> Any:
        """Import the application; called by gunicorn."""
        application = import_app(self._configuration.wsgi_application)
        # The project's LOGGING is applied again by get_wsgi_application(), and may disable these.
        for name in ("gunicorn.error", "gunicorn.access"):
            log.enable(name)
        return application

    def load_now(self) -> None:
        """Import the application and its URLs, before there are workers. Raises BootError (APPLICATION)."""
        from django.conf import settings
        from django.urls import get_resolver

        root = settings.STATIC_ROOT
        try:
            with contextlib.ExitStack() as stack:
                if root and os.path.isdir(root):
                    # Middleware lists the static directory; another replica may be publishing into it.
                    stack.enter_context(collect.locked(Path(root), fcntl.LOCK_SH))
                self.wsgi()
                if getattr(settings, "ROOT_URLCONF", None):
                    get_resolver().url_patterns  # noqa: B018 -- workers share what this imports
        except BootError:
            raise
        except (Exception, SystemExit) as error:
            raise BootError(
                ExitCode.APPLICATION,
                f"The application {self._configuration.wsgi_application} cannot be imported:"
                f" {describe(error)}.",
                cause=error,
            ) from error

    def _defaults(self) -> dict[str, Any]:
        configuration = self._configuration
        to_files = configuration.log_to_files
        values: dict[str, Any] = {
            "bind": configuration.bind,
            "workers": configuration.workers,
            "timeout": configuration.timeout,
            "graceful_timeout": configuration.graceful_timeout,
            "preload_app": True,
            "accesslog": os.path.join(LOGS, "gunicorn_access.log") if to_files else "-",
            "errorlog": os.path.join(LOGS, "gunicorn_error.log") if to_files else "-",
            "logger_class": GunicornLogger,
            "default_proc_name": configuration.wsgi_application,
            # It would want a home directory, which a container has none of.
            "control_socket_disable": True,
        }
        # Workers show that they are alive in a file; memory does not stall, and /tmp may be read-only.
        if os.access("/dev/shm", os.W_OK):
            values["worker_tmp_dir"] = "/dev/shm"
        return values

    def _settings_in(self, file: str) -> dict[str, Any]:
        try:
            return runpy.run_path(file, run_name="__config__")
        except (Exception, SystemExit) as error:
            raise BootError(
                ExitCode.SERVER,
                f"gunicorn's configuration {file} cannot be read: {describe(error)}.",
                cause=error,
            ) from error

    def _set(self, values: dict[str, Any], origin: str) -> None:
        for name, value in values.items():
            if name not in self.cfg.settings:  # the file's own helpers, or a setting of another gunicorn
                continue
            try:
                self.cfg.set(name, value)
            except Exception as error:
                raise BootError(
                    ExitCode.SERVER, f"gunicorn's configuration {origin} has a bad {name}: {describe(error)}."
                ) from error


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logs in the entrypoint's form. Of a request's URL only the path: queries hold secrets."""

    def setup(self, cfg: Any) -> None:
        """Install the handlers; called by gunicorn, at start and at SIGHUP."""
        super().setup(cfg)
        for name in ("gunicorn.error", "gunicorn.access"):
            log.enable(name)
            _drop_streams(logging.getLogger(name))

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """Write one request's record; called by workers."""
        # Older gunicorns do not tell.
        if not getattr(self, "access_log_enabled", self.cfg.accesslog):
            return
        status = str(resp.status).split(None, 1)[0]
        fields = {
            "method": environ.get("REQUEST_METHOD", ""),
            "path": environ.get("PATH_INFO", ""),
            "status": int(status) if status.isdecimal() else status,
            "duration_ms": round(request_time.total_seconds() * 1000, 1),
            "remote_addr": environ.get("REMOTE_ADDR", ""),
        }
        message = "%s %s %s", fields["method"], fields["path"], status
        self.access_log.info(*message, extra={"fields": fields})

    def _set_handler(self, logger: Any, output: Any, fmt: Any, stream: Any = None) -> None:
        super()._set_handler(logger, None if output == "-" else output, log.Formatter())
        if output == "-":
            for old in [each for each in logger.handlers if getattr(each, "_gunicorn", False)]:
                logger.removeHandler(old)
            handler = log.Handler()
            handler._gunicorn = True  # type: ignore[attr-defined]  # its own mark
            logger.addHandler(handler)


def _drop_streams(logger: logging.Logger) -> None:
    """Handlers that a project's gunicorn configuration has given the logger would write each record a second time."""
    for handler in list(logger.handlers):
        to_stream = isinstance(handler, logging.StreamHandler) and not isinstance(
            handler, logging.FileHandler
        )
        if to_stream and not getattr(handler, "_gunicorn", False):
            logger.removeHandler(handler)


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
    log.finish()
    gc.collect()
    gc.freeze()  # the workers' collections leave these objects' memory shared


def _shown(addresses: list[Any]) -> str:
    return ", ".join(":".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in addresses)


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
            reason = error.strerror if isinstance(error, (OSError, socket.gaierror)) else str(error)
            raise BootError(
                ExitCode.SERVER,
                f"The address {_shown([address])} cannot be served: {reason}; free it, or choose another one"
                " (GUNICORN_BIND).",
            ) from error
    return listeners
