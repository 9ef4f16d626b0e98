"""The worker: a job is done once, whoever is stopped or killed meanwhile; and days are summed up."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django_tasks_db.models import DBTaskResult

from meals.models import Meal
from summaries.models import DaySummary
from summaries.tasks import sum_up
from tests.backend.conftest import BACKEND, environment
from tests.running import until

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 50
SLOW = """
    CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER dawdle BEFORE UPDATE ON summaries_daysummary FOR EACH ROW EXECUTE FUNCTION dawdle()
"""
IN_HAND = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
)
DAY = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def slow(transactional_db) -> Iterator[Callable[[float], None]]:
    """Jobs that take so many seconds, in PostgreSQL."""

    def slow(seconds: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SLOW.format(seconds=seconds))

    yield slow
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS dawdle CASCADE")


@pytest.fixture
def start(transactional_db, database_variables, tmp_path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python in the backend, on the test's database."""
    variables = {
        **database_variables,
        "POSTGRES_DB": connection.settings_dict["NAME"],
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": os.pathsep.join([str(BACKEND), os.environ.get("PYTHONPATH", "")]),
    }
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=BACKEND,
            env=environment(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def in_hand(count: int, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Wait until so many jobs are being done."""

    def done() -> bool:
        meanwhile()
        with connection.cursor() as cursor:
            cursor.execute(IN_HAND)
            return bool(cursor.fetchone()[0] >= count)

    until(done, f"{count} jobs in hand", pause=0.002)


def statuses() -> dict[str, int]:
    found: dict[str, int] = {}
    for status in DBTaskResult.objects.values_list("status", flat=True):
        found[status] = found.get(status, 0) + 1
    return found


def revisions() -> int:
    return sum(DaySummary.objects.values_list("revision", flat=True))


@pytest.mark.proves("A job is neither lost nor done twice, whenever its worker is killed")
def test_killed_fifty_times(start, slow):
    """Two workers, one of which is killed again and again while both have a job in hand: each job is done once."""
    slow(0.05)
    jobs = 0

    def replenish() -> None:
        """However slowly this test looks, there is always something to do."""
        nonlocal jobs
        for _ in range(10 - statuses().get("READY", 0)):
            sum_up.enqueue(f"2026-03-{jobs % 28 + 1:02}")
            jobs += 1

    forks = start(str(Path(__file__).with_name("workers.py")))

    def worker() -> int:
        forks.stdin.write("\n")
        forks.stdin.flush()
        return int(forks.stdout.readline())

    alive = [worker(), worker()]
    for _ in range(KILLS):
        in_hand(2, meanwhile=replenish)
        os.kill(alive.pop(0), signal.SIGKILL)
        alive.append(worker())
    until(lambda: statuses() == {"SUCCESSFUL": jobs}, "the end of all jobs")
    assert revisions() == jobs, "each was done once"
    assert {len(ids) for ids in DBTaskResult.objects.values_list("worker_ids", flat=True)} == {1}


@pytest.mark.proves("A worker that is stopped finishes the job in hand, or gives it back")
def test_sigterm_finishes_the_job_in_hand(start, slow):
    slow(1)
    for day in ("2026-03-01", "2026-03-02"):
        sum_up.enqueue(day)
    worker = start("manage.py", "work")
    in_hand(1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert statuses() == {"SUCCESSFUL": 1, "READY": 1}
    assert revisions() == 1


@pytest.mark.proves("A worker that is stopped finishes the job in hand, or gives it back")
def test_a_second_signal_gives_it_back(start, slow):
    slow(1)
    sum_up.enqueue("2026-03-01")
    worker = start("manage.py", "work")
    in_hand(1)
    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGINT)
    assert worker.wait(60) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert statuses() == {"READY": 1}
    assert revisions() == 0


def test_sigterm_without_a_job(start):
    worker = start("manage.py", "work", "--interval", "600")

    def idle() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return bool(cursor.fetchone()[0] > 1)

    until(idle, "the worker's connection")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0


@pytest.mark.proves("A job is neither lost nor done twice, whenever its worker is killed")
def test_a_database_that_goes_away_gives_the_job_back(start, slow):
    slow(1)
    sum_up.enqueue("2026-03-01")
    worker = start("manage.py", "work", "--interval", "0.01")
    in_hand(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    until(lambda: statuses() == {"SUCCESSFUL": 1}, "the job")
    assert worker.poll() is None
    assert revisions() == 1


def batch(start: Callable[..., Any]) -> None:
    assert start("manage.py", "work", "--batch").wait(60) == 0


def test_a_job_that_fails_is_undone_and_told(start):
    sum_up.enqueue("no day")
    sum_up.enqueue("2026-03-01")
    batch(start)
    assert statuses() == {"FAILED": 1, "SUCCESSFUL": 1}
    (failed,) = DBTaskResult.objects.failed()
    assert failed.exception_class_path == "builtins.ValueError"


def test_days_are_summed_up(start):
    soup = Meal.objects.create(name="Soup", kcal=250, eaten_at=DAY)
    Meal.objects.create(name="Bread", kcal=100, eaten_at=DAY)
    late = Meal.objects.create(name="Cake", kcal=400, eaten_at="2026-03-01T23:59:59Z")
    batch(start)
    assert list(DaySummary.objects.values_list("meals", "kcal")) == [(3, 750)]
    late.eaten_at = DAY + datetime.timedelta(days=1)
    late.save()
    soup.delete()
    batch(start)
    found = [(str(each.day), each.meals, each.kcal) for each in DaySummary.objects.order_by("day")]
    assert found == [("2026-03-01", 1, 100), ("2026-03-02", 1, 400)]
    Meal.objects.all().delete()
    batch(start)
    assert [(each.meals, each.kcal) for each in DaySummary.objects.all()] == [(0, 0), (0, 0)]


def test_a_change_that_is_rolled_back_leaves_no_job():
    with transaction.atomic():
        Meal.objects.create(name="Soup", kcal=250, eaten_at=DAY)
        transaction.set_rollback(True)
    assert statuses() == {}
