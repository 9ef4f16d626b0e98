"""The worker: `manage.py work` runs jobs, one at a time, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)
from django.utils.crypto import get_random_string
from django_tasks_db.models import DBTaskResult

PRUNE = 3600.0  # seconds between looks for old jobs

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run jobs from the queue in the database"
    _stopping = False
    _in_hand = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Called by Django."""
        parser.add_argument(
            "--interval", type=float, default=1.0, help="seconds between looks at an empty queue"
        )
        parser.add_argument("--batch", action="store_true", help="end when there is nothing left to do")

    def handle(self, *, interval: float, batch: bool, **_: Any) -> None:
        """Called by Django."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        name = get_random_string(32)
        logger.info("Worker %s waits for jobs", name)
        next_prune = time.monotonic()
        while not self._stopping:
            close_old_connections()
            try:
                found = self._work_once(name)
            except (OperationalError, InterfaceError) as error:  # PostgreSQL went away, and the job with it
                logger.warning("The job in hand is given back: %s", str(error).partition("\n")[0])
                connection.close()
                found = False
            if not found:
                if batch:
                    break
                if time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + PRUNE
                    self._prune()
                self._rest(interval)
        logger.info("Worker %s ends", name)

    def _work_once(self, name: str) -> bool:
        """Run one job; whether there was one.

        What it does, and that it is done, are one transaction: whoever is killed has done nothing, and the next worker
        finds the job as it was. Meanwhile its row is locked, and other workers pass over it.
        """
        self._in_hand = True
        try:
            with transaction.atomic():
                job = DBTaskResult.objects.ready().get_locked()
                if job is None:
                    return False
                job.claim(name)
                self._run(job)
                return True
        finally:
            self._in_hand = False

    def _run(self, job: DBTaskResult[..., object]) -> None:
        try:
            # A job that fails is undone, and keeps its record.
            with transaction.atomic():
                value = job.task.call(*job.args_kwargs["args"], **job.args_kwargs["kwargs"])
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            job.set_failed(error)
            logger.exception("Job %s (%s) failed", job.pk, job.task_path)
        else:
            job.set_successful(value)
            logger.info("Job %s (%s) is done", job.pk, job.task_path)

    def _prune(self) -> None:
        """Forget jobs that were done two weeks ago."""
        try:
            call_command("prune_db_task_results", verbosity=0)
        except DatabaseError as error:
            logger.warning("Old jobs stay: %s", str(error).partition("\n")[0])

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Finish the job in hand; a second signal gives it back."""
        if self._stopping and self._in_hand:
            raise SystemExit(128 + number)
        self._stopping = True
