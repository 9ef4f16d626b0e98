"""What would end the boot after the migrations is tried before the first of them changes the database.

A release that cannot start must not migrate: the one that still serves may not work with the new tables. All is tried in
a child process, so that nothing of it (an imported application, a bound address) stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import tempfile
import traceback
from pathlib import Path
from typing import Any, NoReturn

from .configuration import Configuration
from .errors import BootError, ExitCode, no_process


def preflight(configuration: Configuration) -> None:
    """Raises BootError with what a later stage would raise: COLLECTSTATIC, SERVER or APPLICATION.

    An application that needs tables, or static files, that are not there yet is left to the last stage.
    """
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        raise no_process(error) from error
    if child == 0:
        _report_and_end(configuration, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if told:
        code, sentence = json.loads(told)
        raise BootError(ExitCode(code), sentence)


def _report_and_end(configuration: Configuration, writer: int) -> NoReturn:
    """In the child: write to the parent what fails, if anything; end without the parent's exit handlers."""
    _end_with_the_parent()
    _kept = _set_aside_connections()  # until the end, since closing them would end the parent's
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in (1, 2):  # what the import prints, the last stage prints too
            os.dup2(nowhere, output)
        _try_all(configuration)
    except BootError as error:
        if not _is_premature(error):
            os.write(writer, json.dumps((error.code, str(error))).encode())
    finally:
        os._exit(0)


def _end_with_the_parent() -> None:
    """A signal that ends the boot reaches the parent alone; what an import does here may take long."""
    with contextlib.suppress(AttributeError):  # only Linux has it: prctl(2), PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def _set_aside_connections() -> list[Any]:
    """The parent's database connections are not the child's to use."""
    from django.db import connections

    kept = []
    for wrapper in connections.all(initialized_only=True):
        kept.append(wrapper.connection)
        wrapper.connection = None
    return kept


def _try_all(configuration: Configuration) -> None:
    from .server import address
    from .server.application import Application

    if configuration.run_collectstatic and configuration.strict:
        _try_static_root()
    application = Application(configuration)
    # A socket that was inherited, or is shared with another server, is not for us to try.
    if not (os.environ.get("LISTEN_FDS") or os.environ.get("GUNICORN_FD") or application.cfg.reuse_port):
        for each in application.cfg.address:
            address.check(each)
    if configuration.metrics:
        address.check(configuration.metrics, "METRICS_BIND")
    application.load_now()


def _try_static_root() -> None:
    from django.conf import settings

    from .stages.collect import advice

    if not settings.STATIC_ROOT:
        return
    root = Path(settings.STATIC_ROOT).absolute()
    place = next(each for each in (root, *root.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise BootError(ExitCode.COLLECTSTATIC, advice(error, place)) from error


def _is_premature(error: BootError) -> bool:
    """Whether what failed needs the tables that the migrations make, or static files, which are not at rest yet."""
    from django.conf import settings
    from django.contrib.staticfiles import storage
    from django.db import Error

    cause: BaseException | None = error.cause
    while cause is not None:
        if isinstance(cause, Error):
            return True
        if any(frame.filename == storage.__file__ for frame in traceback.extract_tb(cause.__traceback__)):
            return True
        if isinstance(cause, FileNotFoundError) and str(cause.filename).startswith(str(settings.STATIC_ROOT)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
