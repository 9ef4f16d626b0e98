"""deploy/swarm.yaml on a real Swarm of one node, reached through its proxy over TLS."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import need
from tests.cluster.engine import Engine, until
from tests.cluster.load import Load, Site
from tests.cluster.swarm import NEEDS, STACK, Swarm, prepare
from tests.container.images import build, copy_tree

MEAL = "from meals.models import Meal; Meal.objects.create(name='Soup', kcal=250)"
SUMMARIES = "from summaries.models import DaySummary; print(*[f'{each.meals} {each.kcal}' for each in DaySummary.objects.all()])"
STYLE = "backend/core/static/core/site.css"


@pytest.fixture(scope="module")
def releases(tmp_path_factory) -> dict[str, Path]:
    """Images: this tree's, and one with another style sheet."""
    two = copy_tree(tmp_path_factory.mktemp("release") / "two")
    with (two / STYLE).open("a") as style:
        style.write("/* release two */\n")
    return {"one": build("image"), "two": build("image", two)}


@pytest.fixture(scope="module")
def swarm(releases, tmp_path_factory) -> Iterator[Swarm]:
    need(NEEDS)
    engine = Engine()
    certificate = tmp_path_factory.mktemp("tls") / "tls.crt"
    try:
        engine.open()
        for release, archive in releases.items():
            engine.load(archive, f"eatfit24-backend:{release}")
        # Its application cannot be imported.
        broken = "FROM eatfit24-backend:one\nENV WSGI_APPLICATION=config.wsgi:broken\n"
        engine.docker("build", "--tag", "eatfit24-backend:broken", "-", text=broken, DOCKER_BUILDKIT="0")
        prepare(engine, certificate, secrets.token_urlsafe(24))
        swarm = Swarm(engine, Site(engine, str(certificate)))
        swarm.deploy("eatfit24-backend:one")
        swarm.until_converged("eatfit24-backend:one")
        yield swarm
    finally:
        engine.close()


def test_containers_have_no_privileges(swarm):
    status = swarm.execute("backend", "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "Uid:\t1000\t1000\t1000\t1000" in status
    assert "nothing written" in swarm.execute("backend", "sh", "-c", "touch /app/x || echo nothing written")


def test_one_processor_gives_three_workers(swarm):
    """The limit in the file, not the machine, sets the number of workers."""
    processes = swarm.execute("backend", "ps", "-o", "pid,ppid,args").splitlines()
    # tini, gunicorn's master, workers
    boots = [line for line in processes if "bin/entrypoint" in line and "healthcheck" not in line]
    assert len(boots) == 1 + 1 + 3, "\n".join([*processes, swarm.tasks()])


@pytest.mark.proves("The health check is right in a container that does not serve")
def test_the_worker_is_healthy_and_works(swarm):
    """A meal that the backend is given has its day summed up."""
    swarm.execute("backend", "python3", "manage.py", "shell", "-v", "0", "-c", MEAL)
    until(
        lambda: (
            swarm.execute("backend", "python3", "manage.py", "shell", "-v", "0", "-c", SUMMARIES) == "1 250"
        ),
        "the summary",
    )

    def status() -> str:
        return swarm.engine.docker("ps", "--filter", f"name={STACK}_worker", "--format", "{{.Status}}")

    until(lambda: "(healthy)" in status(), "the worker's health")


def test_rolling_update_fails_no_request(swarm):
    swarm.deploy("eatfit24-backend:one")
    swarm.until_converged("eatfit24-backend:one")
    before = swarm.style()
    with Load(swarm.site) as load:
        until(lambda: load.styles or load.failures, "the load to begin")
        swarm.deploy("eatfit24-backend:two")
        swarm.until_converged("eatfit24-backend:two")
        after = before + "/* release two */\n"
        seen = load.styles[after]
        until(lambda: load.styles[after] > seen or load.failures, "page views of the new release")
    assert not load.failures, f"{load.failures}\n{swarm.proxy_log()}\n{swarm.tasks()}"
    assert set(load.styles) == {before, after}
    assert swarm.style() == after


def test_broken_update_rolls_back_by_itself(swarm):
    image, style = swarm.image, swarm.style()
    with Load(swarm.site) as load:
        swarm.deploy("eatfit24-backend:broken")
        until(lambda: swarm.update_is("rollback_completed", "rollback_paused"), "the rollback")
    assert not load.failures, f"{load.failures}\n{swarm.proxy_log()}\n{swarm.tasks()}"
    assert swarm.update_is("rollback_completed"), swarm.tasks()
    assert swarm.image == image
    swarm.until_converged(image)
    assert set(load.styles) == {style}
    assert "exit (18)" in swarm.tasks()


def test_service_comes_back_after_a_restart_of_the_engine(swarm):
    image, style = swarm.image, swarm.style()
    create = "from django.contrib.auth.models import User; User.objects.create(username='survivor')"
    swarm.execute("backend", "python3", "manage.py", "shell", "-c", create)
    swarm.engine.stop()
    swarm.engine.start()
    swarm.until_converged(image)
    assert swarm.style() == style
    count = (
        "from django.contrib.auth.models import User; print(User.objects.filter(username='survivor').count())"
    )
    assert swarm.execute("backend", "python3", "manage.py", "shell", "-v", "0", "-c", count) == "1"
