"""A release whose migration waits for a lock, beside the release that serves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

from bench.boot import family
from bench.lab import BenchError, Site
from bench.ordinary import ordinary
from bench.subject import Subject

WAITS = 30.0  # seconds that the release is left alone
PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL, as `docker stop` has it
LOOK = 60.0  # seconds for the statement of a release that was stopped to end
PATH = "/api/meals/"

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("meals", "{last}")]
    operations = [migrations.RunSQL("ALTER TABLE meals_meal ADD COLUMN bench int")]
"""
ALTERING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ILIKE 'ALTER TABLE%'"


def waits(subject: Subject, atomic: bool = True) -> str:
    """Ordinary clients read the table meanwhile. Then the release is stopped, and killed; when nobody is in its way it boots."""
    site, command = subject.site, subject.command
    release = site.lab.site(
        f"release-{site.port}", WEB_CONCURRENCY="1", POSTGRES_DB=site.environment["POSTGRES_DB"]
    )
    migrations = release.folder / "meals/migrations"
    last = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "0999_bench.py").write_text(MIGRATION.format(atomic=atomic, last=last))
    with contextlib.closing(site.connect()) as forgotten, contextlib.closing(site.connect()) as looking:
        looking.autocommit = True
        forgotten.cursor().execute("SELECT count(*) FROM meals_meal")
        process = release.start(command)
        try:
            _until(looking, 1, process)
            load = ordinary(subject.port, WAITS, PATH)
        finally:
            _stop(process)
        outcome = "stopped, and its statement goes on"
        stopped = _until(looking, 0)
        if stopped is not None:
            process = release.start(command)
            _until(looking, 1, process)
            _kill(process)
            killed = _until(looking, 0)
            assert killed is not None
            outcome = f"its statement ends {stopped:.1f} s after a stop, {killed:.1f} s after a kill"
        forgotten.rollback()
        _until(looking, 0)
    return f"{load}; longest {load.longest:.1f} s; {outcome}; then it {_boots(release, command)}"


def _until(looking: object, count: int, process: subprocess.Popen[bytes] | None = None) -> float | None:
    """Seconds until so many sessions alter a table; None if that takes too long."""
    began = time.monotonic()
    while time.monotonic() - began < LOOK:
        if process and process.poll() is not None:
            raise BenchError(f"the release ended with {process.returncode}")
        with looking.cursor() as cursor:  # type: ignore[attr-defined]  # psycopg2 has no types
            cursor.execute(ALTERING)
            if cursor.fetchone()[0] == count:
                return time.monotonic() - began
        time.sleep(0.05)
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As an engine ends a container: the first process is asked, and when it has ended, or does not, all are killed."""
    members = family(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    _kill(process, members)


def _kill(process: subprocess.Popen[bytes], members: list[int] | None = None) -> None:
    for member in members or family(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    process.wait()


def _boots(release: Site, command: list[str]) -> str:
    try:
        with release.running(command):
            return "boots"
    except BenchError as error:
        return f"never boots again: {str(error).rpartition(': ')[2].strip()}"
