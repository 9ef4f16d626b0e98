"""The boot sequence, from the command line to the server."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from . import capture, log, programs, signals
from .configuration import Configuration, read
from .errors import BootError, ExitCode, frames, where

USAGE = """\
Usage: entrypoint [COMMAND]

  serve          boot and serve (the default): configure, wait, migrate, collect, serve
  migrate        configure, wait for the database, apply migrations
  check          configure and run Django's system checks; needs no database
  healthcheck    ask the running server; exit code 0 or 20
  wait [-- ...]  configure, wait for the database and its migrations, then run that command
  manage ARGS    run the project's manage.py
  anything else  is executed as given
"""


def main(arguments: list[str]) -> int:
    """Run the command; return the exit code (`serve`, `manage` and other programs do not return)."""
    open_standard_streams()
    try:
        run(*(arguments or ["serve"]))
    except BootError as error:
        trace = {"frames": frames(error.cause)} if error.cause else {}
        log.error(str(error), exit_code=int(error.code), **trace)
        return error.code
    except Exception as error:
        log.error(
            f"Unexpected error, a fault of the entrypoint: {type(error).__name__}: {error} ({where(error)}).",
            exit_code=int(ExitCode.UNEXPECTED),
            traceback=traceback.format_exc().rstrip(),
        )
        return ExitCode.UNEXPECTED
    return ExitCode.OK


def open_standard_streams() -> None:
    """Descriptors 0 to 2 that are closed lead to /dev/null, or the next socket would be the one that logs go to."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
            stream = open(number, mode, closefd=False)  # noqa: SIM115  # as long as the process
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def run(command: str, *rest: str) -> None:
    """Run one command. Raises BootError."""
    if command in ("-h", "--help", "help"):
        print(USAGE, end="")
        return
    signals.die_at_once()
    capture.start(os.environ)
    if command not in COMMANDS | WITH_ARGUMENTS and not command.startswith("-"):
        programs.execute([command, *rest])
    enter_project()
    if command in WITH_ARGUMENTS:
        WITH_ARGUMENTS[command](list(rest))
    elif command in COMMANDS and not rest:
        COMMANDS[command]()
    else:
        raise BootError(
            ExitCode.CONFIGURATION,
            f"There is no command {' '.join((command, *rest))!r}: use {programs.COMMANDS} (--help says more).",
        )


def enter_project() -> None:
    """Make the project's modules importable, as `python manage.py` would."""
    try:
        sys.path[0] = os.getcwd()
    except OSError as error:
        raise BootError(
            ExitCode.CONFIGURATION,
            f"The working directory cannot be read ({error.strerror}): start in the Django project's.",
        ) from error


def serve() -> None:
    """configure -> wait -> migrate -> collect -> (superuser) -> serve."""
    configuration = run_configure()
    check_gunicorn()
    owned = run_wait(configuration, import_later_stages)
    run_migrate(configuration, owned)
    run_collect(configuration)
    run_superuser(configuration)
    run_serve(configuration)


def migrate() -> None:
    """configure -> wait -> migrate; asked for by name, so neither skipped nor forgiven."""
    from .stages.migrate import migrate as apply

    configuration = run_configure()
    owned = run_wait(configuration)
    log.stage("migrate")
    for connection in owned.items():
        apply(configuration, *connection)


def check() -> None:
    """configure, and Django's system checks for a deployment."""
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError

    run_configure()
    lines = capture.Lines()
    log.stage("check")
    try:
        call_command("check", deploy=True, stdout=lines, stderr=lines, no_color=True)
    except SystemCheckError as error:
        raise BootError(
            ExitCode.CONFIGURATION, f"Django's checks fail: {' '.join(str(error).split())}"
        ) from error
    finally:
        lines.finish()


def healthcheck() -> None:
    """Ask the server that runs in this container."""
    from .healthcheck import healthcheck as ask

    problems: dict[str, str] = {}
    configuration = read(os.environ, problems)
    for name in ("GUNICORN_BIND", "PORT", "GUNICORN_CMD_ARGS", "HEALTHCHECK_PATH", "HEALTHCHECK_COMMAND"):
        if name in problems:
            raise BootError(ExitCode.CONFIGURATION, problems[name])
    ask(configuration)


def wait(arguments: list[str]) -> None:
    """configure -> wait, also for the migrations that others apply; then become the program after `--`, if any."""
    from .migrated import until_migrated

    separator, *program = arguments or ["--"]
    if separator != "--":
        raise BootError(
            ExitCode.CONFIGURATION,
            f"wait does not take {separator!r}: write `wait -- PROGRAM ARGS`, or wait alone.",
        )
    configuration = run_configure()
    until_migrated(configuration, run_wait(configuration))
    if program:
        programs.become(program)


COMMANDS = {"serve": serve, "migrate": migrate, "check": check, "healthcheck": healthcheck}
WITH_ARGUMENTS = {"manage": programs.manage, "wait": wait}


def run_configure() -> Configuration:
    """Stage 1."""
    from .stages.configure import configure

    log.stage("configure")
    # All of Django is imported here, and stays: whoever looks for garbage need not look at it, now or later.
    gc.disable()
    try:
        return configure()
    finally:
        gc.freeze()
        gc.enable()


def check_gunicorn() -> None:
    """One that cannot serve is known before anything waits."""
    from .server.versions import check

    check()


def run_wait(configuration: Configuration, meanwhile: Callable[[], None] | None = None) -> dict[str, Any]:
    """Stage 2."""
    from .stages.wait import wait

    log.stage("wait")
    return wait(configuration, meanwhile)


def import_later_stages() -> None:
    """What takes longest to import of what the later stages need. What is missing is left to them to tell."""
    for name in (
        "gunicorn.app.base",
        "gunicorn.arbiter",
        "gunicorn.glogging",
        f"{__package__}.server.worker",
    ):
        with contextlib.suppress(ImportError):
            import_module(name)


def run_migrate(configuration: Configuration, owned: dict[str, Any]) -> None:
    """Stage 3, for each database."""
    log.stage("migrate")
    if configuration.run_migrations and not configuration.read_only:
        from .preflight import preflight
        from .stages.migrate import migrate as apply

        once = functools.cache(lambda: preflight(configuration))
        for alias, connection in owned.items():
            forgiving(configuration, functools.partial(apply, configuration, alias, connection, once))
    else:
        from . import database, schema, unfinished

        log.info(
            f"Migrations are skipped ({'READ_ONLY=1' if configuration.read_only else 'RUN_MIGRATIONS=0'})."
        )
        for alias, connection in owned.items():
            with contextlib.closing(connection or database.own_connection(alias)) as own:
                unfinished.warn(own, schema.compare(configuration, own))


def run_collect(configuration: Configuration) -> None:
    """Stage 4."""
    log.stage("collect")
    if configuration.run_collectstatic:
        from .stages.collect import collect

        forgiving(configuration, lambda: collect(configuration))
    else:
        log.info("Static files are not collected (RUN_COLLECTSTATIC=0).")


def run_superuser(configuration: Configuration) -> None:
    """The stage that most deployments do without."""
    if configuration.superuser:
        from .stages.superuser import ensure_superuser

        log.stage("superuser")
        if configuration.read_only:
            log.info("The superuser is not looked for (READ_ONLY=1).")
            return
        forgiving(configuration, ensure_superuser)


def run_serve(configuration: Configuration) -> None:
    """The last stage; does not return."""
    from .stages.serve import serve as become_gunicorn

    log.stage("serve")
    become_gunicorn(configuration)


FORGIVEN = (ExitCode.MIGRATIONS, ExitCode.MIGRATION_LOCK, ExitCode.COLLECTSTATIC, ExitCode.SUPERUSER)


def forgiving(configuration: Configuration, run: Any) -> None:
    """Run a stage; with MIGRATIONS_STRICT=0 its failure is a warning."""
    try:
        run()
    except BootError as error:
        if configuration.strict or error.code not in FORGIVEN:
            raise
        trace = {"frames": frames(error.cause)} if error.cause else {}
        log.warning(f"DANGEROUS, MIGRATIONS_STRICT=0: starting in spite of this: {error}", **trace)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
