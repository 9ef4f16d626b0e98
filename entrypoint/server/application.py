"""What gunicorn serves, and with which settings."""

from __future__ import annotations

import os
import runpy
from importlib import import_module
from typing import Any

import gunicorn
from gunicorn.app.base import BaseApplication
from gunicorn.util import import_app

from .. import capture, request_id, telemetry
from ..configuration import Configuration
from ..errors import BootError, ExitCode, describe, lacks_processes, no_process
from . import arguments, bodies, repetition, versions
from .address import shown
from .counters import Counters
from .logger import GunicornLogger

CONFIG_FILES = ("gunicorn_config.py", "gunicorn.conf.py")
LOGS = "logs"
# Set in the environment, these win over the project's configuration file; GUNICORN_CMD_ARGS over both.
_SETTINGS_OF = {
    "GUNICORN_BIND": ("bind",),
    "PORT": ("bind",),
    "WEB_CONCURRENCY": ("workers",),
    "GUNICORN_TIMEOUT": ("timeout",),
    "GUNICORN_GRACEFUL_TIMEOUT": ("graceful_timeout",),
    "GUNICORN_LOG_TO_FILES": ("accesslog", "errorlog"),
}


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The configuration, in gunicorn's terms: the contract's defaults, then the project's file over them."""

    def __init__(self, configuration: Configuration) -> None:
        self._master = os.getpid()
        self._traced = telemetry.wanted()
        self.counters = Counters() if configuration.metrics else None
        self._configuration = configuration
        if configuration.asgi_application:
            versions.check_for_asgi()
        super().__init__()

    def do_load_config(self) -> None:
        """Called by gunicorn, at start and at SIGHUP. Raises BootError (SERVER)."""
        try:
            self.load_default_config()
        except ValueError as error:  # the one variable that gunicorn reads, and nobody has looked at
            raise BootError(
                ExitCode.SERVER,
                f"FORWARDED_ALLOW_IPS cannot be used by gunicorn {gunicorn.__version__}: {error}; give it addresses, or"
                " since gunicorn 24.1 networks, separated by commas.",
            ) from error
        self.load_config()
        if not hasattr(self.cfg, "validate"):  # older ones have none
            return
        try:
            self.cfg.validate()
        except Exception as error:
            raise BootError(
                ExitCode.SERVER, f"gunicorn's configuration is wrong: {describe(error)}."
            ) from error

    def reload(self) -> None:
        """Load the configuration anew; called by gunicorn at SIGHUP. Raises BootError (SERVER)."""
        before = self.cfg.address
        super().reload()
        # The workers that still serve hold the old sockets, and gunicorn would end for want of the new ones.
        if self.cfg.address != before:
            raise BootError(
                ExitCode.SERVER, f"the address changes, to {shown(self.cfg.address)}, only with a new start."
            )

    def load_config(self) -> None:
        """Fill `self.cfg`; called by gunicorn."""
        settings = arguments.parse(self._configuration.gunicorn_arguments)
        found = next((name for name in CONFIG_FILES if os.path.exists(name)), "")
        file = str(settings.get("config") or found)
        self._set(self._defaults(), "the entrypoint")
        if file:
            self._set(self._settings_in(file), file)
        values = self._defaults()
        explicit = _SETTINGS_OF.keys() & self._configuration.explicit
        self._set({setting: values[setting] for name in explicit for setting in _SETTINGS_OF[name]}, "")
        self._set(settings, "GUNICORN_CMD_ARGS")
        if self.counters:
            self._count(self.counters)
        if self._traced:
            # The middleware that it adds must be there when the application is made.
            self.cfg.set("preload_app", False)

    def _count(self, counters: Counters) -> None:
        """Have all kinds of workers count requests, by the hooks that they call; the project's own are called too."""
        before, after = self.cfg.pre_request, self.cfg.post_request

        def pre_request(worker: Any, request: Any) -> None:
            counters.pre_request(request)
            before(worker, request)

        def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
            counters.post_request(request, response)
            after(worker, request, environ, response)

        self.cfg.set("pre_request", pre_request)
        self.cfg.set("post_request", post_request)

    @property
    def largest_body(self) -> int:
        """Bytes that a request's body may have."""
        return self._configuration.max_request_body * bodies.MEGABYTE

    def load(self) -> Any:
        """Import the application; called by gunicorn."""
        if self._traced and os.getpid() != self._master:
            telemetry.start()
        application = import_app(self._configuration.application)
        # The project's LOGGING is applied again by get_wsgi_application(), and may disable these.
        for name in ("gunicorn.error", "gunicorn.access"):
            capture.enable(name)
        if self._configuration.asgi_application:
            return application  # its worker does what follows
        return request_id.carried(bodies.limited(repetition.repeated(application), self.largest_body))

    def load_now(self) -> None:
        """Import the application and its URLs, before there are workers.

        Raises BootError (APPLICATION; SERVER for want of threads).
        """
        from django.conf import settings
        from django.urls import get_resolver

        try:
            self.wsgi()
            if getattr(settings, "ROOT_URLCONF", None):
                get_resolver().url_patterns  # noqa: B018 -- workers share what this imports
        except BootError:
            raise
        except (Exception, SystemExit) as error:
            if lacks_processes(error):
                raise no_process(error) from error
            raise BootError(
                ExitCode.APPLICATION,
                f"The application {self._configuration.application} cannot be imported: {describe(error)}.",
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
            # A string, from whose end gunicorn tells that it takes one request at a time.
            "worker_class": f"entrypoint.server.{'asgi.ASGI' if configuration.asgi_application else 'worker.Sync'}Worker",
            # uvloop would not take listening sockets that are shut down.
            **({"asgi_loop": "asyncio"} if configuration.asgi_application else {}),
            "accesslog": os.path.join(LOGS, "gunicorn_access.log") if to_files else "-",
            "errorlog": os.path.join(LOGS, "gunicorn_error.log") if to_files else "-",
            "logger_class": GunicornLogger,
            "default_proc_name": configuration.application,
            # It would want a home directory, which a container has none of.
            "control_socket_disable": True,
        }
        # Workers show that they are alive in a file; memory does not stall, and /tmp may be read-only.
        if os.access("/dev/shm", os.W_OK):
            values["worker_tmp_dir"] = "/dev/shm"
        return values

    def _settings_in(self, file: str) -> dict[str, Any]:
        try:
            if file.startswith("python:"):
                return vars(import_module(file.removeprefix("python:")))
            return runpy.run_path(file.removeprefix("file:"), run_name="__config__")
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
