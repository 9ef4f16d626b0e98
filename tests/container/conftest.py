"""The engine, the images, a PostgreSQL server for all tests, and a private network for each."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator

import pytest

from tests.container import images as building
from tests.container.lab import Database, Images, Lab, Server, remove_all, start_server
from tests.container.needs import need_engine

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session", autouse=True)
def engine() -> Iterator[None]:
    need_engine()
    remove_all()
    yield
    remove_all()


@pytest.fixture(scope="session")
def images(engine) -> Images:
    """The images of this tree."""
    return Images(
        backend=building.load(building.build("image")),
        postgres=building.load(building.build("postgres-image")),
    )


@pytest.fixture(scope="session")
def second_build(images) -> Iterator[building.SecondBuild]:
    """The image, built by somebody else."""
    build = building.SecondBuild()
    yield build
    build.close()


@pytest.fixture(scope="session", autouse=True)
def _second_build_begins_early(request) -> None:
    """It takes a while: other tests run meanwhile, in this process or, with pytest-xdist, in the others."""
    if not os.environ.get("PYTEST_XDIST_WORKER") and any(map(needs_second_build, request.session.items)):
        request.getfixturevalue("second_build")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=needs_second_build, reverse=True)


def needs_second_build(item: pytest.Item) -> bool:
    return "second_build" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def server(images) -> Server:
    """PostgreSQL for all tests, in memory; each takes a database of its own."""
    password = secrets.token_urlsafe(24)
    container = start_server(
        images,
        *("--env", f"POSTGRES_PASSWORD={password}"),
        *("--tmpfs", "/var/lib/postgresql/data:uid=999,gid=999,mode=700"),
    )
    return Server(container, password).until_ready()


@pytest.fixture(scope="session")
def collected(images, server) -> Iterator[str]:
    """A volume with the static files of a boot, which spares the boots after it most of their work."""
    laboratory = Lab(images)
    laboratory.invite(server.container, "db")
    volume = laboratory.volume()
    options = ("--volume", f"{volume}:/app/staticfiles", "--publish", "127.0.0.1::8000")
    laboratory.backend(options=options, **server.database().environment).start().until_answers()
    yield volume
    laboratory.close(False, "collected")


@pytest.fixture
def lab(images, collected, request) -> Iterator[Lab]:
    """This test's network. Logs of its containers are kept if it fails."""
    laboratory = Lab(images, collected)
    yield laboratory
    name = re.sub(r"[^\w.-]+", "_", request.node.nodeid.removeprefix("tests/container/"))
    laboratory.close(request.node.stash.get(FAILED, False), name)


@pytest.fixture
def database(server, lab) -> Database:
    """An empty database, on a server that this test's containers find as `db`."""
    lab.invite(server.container, "db")
    return server.database()
