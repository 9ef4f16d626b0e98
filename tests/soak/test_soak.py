"""Twenty minutes of everything at once: deploy/swarm.yaml under load, while PostgreSQL, workers and releases come and go."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.cluster.conftest import need
from tests.cluster.engine import Engine, until
from tests.cluster.load import Site, in_thread
from tests.cluster.swarm import BACKEND, NEEDS, STACK, Swarm, prepare
from tests.container.images import build
from tests.soak.clients import USER, Clients
from tests.soak.conftest import RESULTS
from tests.soak.containers import Readings
from tests.soak.events import RELEASE, Events, is_ready
from tests.soak.results import AWAY, KILLED, RESTARTED, SERVICES, Results, Stored, load

FIRST, IMAGE = "eatfit24-backend:soak-0", "eatfit24-backend:soak-1"
DATABASE = "db"
POSTGRES = "postgres:17-nix"
WARM = 15.0  # seconds of load before anything is counted as constant
GROWTH = 1.15  # of memory and descriptors, from the first third of the time to the last
SLACK = {"memory": 10e6, "descriptors": 10, "processes": 1}


@pytest.fixture(scope="module")
def password() -> str:
    """PostgreSQL's, and the superuser's."""
    return secrets.token_urlsafe(24)


@pytest.fixture(scope="module")
def swarm(password: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """The stack; its PostgreSQL is a container beside it, because Swarm would replace one that ends."""
    need(NEEDS)
    engine = Engine()
    certificate = tmp_path_factory.mktemp("tls") / "tls.crt"
    try:
        engine.open()
        engine.load(build("image"), IMAGE)
        engine.docker("tag", IMAGE, FIRST)
        prepare(engine, certificate, password)
        start_database(engine, password)
        until(lambda: inside(engine, is_ready), "PostgreSQL")
        # Where containers find what listens on their node.
        gateway = engine.docker(
            "network", "inspect", "docker_gwbridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"
        )
        swarm = Swarm(engine, Site(engine, str(certificate)), POSTGRES_HOST=gateway)
        # The first start collects static files, and keeps the memory that this has taken; no later one does.
        for name in (FIRST, IMAGE):
            swarm.deploy(name)
            swarm.until_converged(name)
        yield swarm
    finally:
        engine.close()


@pytest.fixture(scope="module")
def results(swarm: Swarm, password: str, pytestconfig: pytest.Config) -> Results:
    """All of it happens here."""
    seconds, before = pytestconfig.getoption("--soak-seconds"), load()
    swarm.execute(
        *("backend", "env", f"DJANGO_SUPERUSER_USERNAME={USER}", f"DJANGO_SUPERUSER_PASSWORD={password}"),
        *("python3", "manage.py", "ensure_superuser"),
    )
    release = min(RELEASE, seconds / 2)
    with Clients(swarm.site, password) as clients:
        time.sleep(WARM)
        with Readings(swarm.engine) as readings, Events(swarm, release) as events:
            time.sleep(seconds)
    swarm.until_converged(swarm.image)
    stored = inside(swarm.engine, lambda: look(swarm.engine, password))
    found = Results(seconds, before, clients.record, events.happened, readings, stored, unhealthy(swarm))
    pytestconfig.stash[RESULTS] = found.text
    keep(swarm, found)
    return found


def test_everything_happened(results: Results):
    """Else the other tests show nothing."""
    assert results.happened.errors + results.readings.errors == []
    assert results.short, "no restart of PostgreSQL took less than 2 s: this machine is too slow, or too busy"
    assert results.happened.kills
    assert "completed" in results.happened.releases
    assert len(results.record.asked) > 10 * results.seconds


@pytest.mark.proves("A restart of PostgreSQL fails no request that changes nothing")
def test_no_idempotent_request_fails_but_those_in_flight_to_a_killed_worker(results: Results):
    failed = [each for each in results.record.failures if each.idempotent]
    assert [each for each in failed if results.meanwhile(each) not in (KILLED, AWAY)] == []


def test_others_fail_only_in_the_middle_of_something(results: Results):
    failed = [each for each in results.record.failures if not each.idempotent]
    assert [each for each in failed if results.meanwhile(each) not in (KILLED, RESTARTED, AWAY)] == []


@pytest.mark.parametrize("what", SLACK)
@pytest.mark.parametrize("service", [each for each in SERVICES if each != DATABASE])
def test_nothing_grows(results: Results, service: str, what: str):
    """PostgreSQL's memory does: it keeps in its buffers what has been read."""
    first, last = results.thirds(service, what)
    assert last <= first * GROWTH + SLACK[what]


def test_no_zombies(results: Results):
    assert results.readings.zombies == set()


def test_uploads_are_rows_are_files(results: Results):
    """What was accepted is there, byte for byte; what is there beside that is of uploads without an answer."""
    sent, accepted, stored = results.record.uploads, results.record.accepted, results.stored
    assert accepted
    assert accepted <= stored.rows.keys() <= sent.keys()
    assert {name: sent[name] for name in stored.rows} == stored.rows
    assert stored.rows.keys() <= stored.files <= sent.keys()


def test_jobs_are_done(swarm: Swarm, results: Results):
    """Those of the last meals, too."""
    code = (
        "from summaries.models import DaySummary; print(sum(each.meals for each in DaySummary.objects.all()))"
    )

    def summed_up() -> bool:
        said = swarm.execute("backend", "python3", "manage.py", "shell", "-v", "0", "-c", code)
        return said == str(len(results.stored.rows))

    until(summed_up, "the summary of all meals")


def unhealthy(swarm: Swarm) -> int:
    """How many replicas Swarm has ended because their health checks failed, or took too long."""
    said = swarm.engine.docker("service", "ps", "--no-trunc", "--format", "{{.Error}}", BACKEND)
    return said.count("unhealthy")


def keep(swarm: Swarm, results: Results) -> None:
    """What explains failures, in the suite's folder .artefacts."""
    folder = Path(__file__).with_name(".artefacts")
    folder.mkdir(exist_ok=True)
    lines = [f"{results.meanwhile(each) or '-'}: {each}" for each in results.record.failures]
    moments = [f"restart: {each}" for each in results.happened.restarts]
    (folder / "failures").write_text("\n".join([*moments, *lines]) + "\n")
    (folder / "tasks").write_text(swarm.tasks())
    for service in ("proxy", "backend"):
        # The engine is slow to find them all.
        with contextlib.suppress(subprocess.TimeoutExpired):
            last = ("--raw", "--tail", "2000", f"{STACK}_{service}")
            said = swarm.engine.docker("service", "logs", *last, check=False).splitlines()
            chosen = [line for line in said if service == "proxy" or '"level": "INFO"' not in line]
            (folder / f"{service}.log").write_text("\n".join(chosen) + "\n")


def start_database(engine: Engine, password: str) -> None:
    """PostgreSQL, and what starts it again when it has ended: less than the engine's own restart takes."""
    environment = {"POSTGRES_USER": STACK, "POSTGRES_DB": STACK, "POSTGRES_PASSWORD": password}
    start = engine.docker("image", "inspect", POSTGRES, "--format", "{{index .Config.Entrypoint 0}}")
    engine.docker(
        *("run", "--detach", "--name", DATABASE, "--network", "host"),
        *(f"--env={name}={value}" for name, value in environment.items()),
        *("--volume", "database:/var/lib/postgresql/data", "--entrypoint", "sh", POSTGRES),
        *("-c", f"while true; do {start}; done"),
    )


def look(engine: Engine, password: str) -> Stored:
    """Ask the database, and read the files."""
    media = Path(engine.docker("volume", "inspect", f"{STACK}_media", "--format", "{{.Mountpoint}}"))
    connection = psycopg2.connect(host="127.0.0.1", user=STACK, dbname=STACK, password=password)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, photo FROM meals_meal")
        found = cursor.fetchall()
    connection.close()
    rows = {name: hashlib.sha256((media / photo).read_bytes()).hexdigest() for name, photo in found}
    return Stored(rows, {each.stem for each in media.rglob("*") if each.is_file()})


def inside(engine: Engine, function):
    """Call it where the engine's network is."""

    def call():
        engine.enter()
        return function()

    return in_thread(call)
