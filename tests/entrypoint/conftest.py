"""A real PostgreSQL with a database for each test, and a project to boot."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gunicorn
import pytest

from cluster import Cluster
from tests.entrypoint.booting import PASSWORD, SECRET_KEY, Boot, Project, connect
from tests.running import free_port, hear_signals


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    hear_signals()


@pytest.fixture(scope="session")
def world() -> Iterator[Path]:
    """A directory that other users may enter, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="boot-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(world: Path) -> Iterator[Cluster]:
    """The server that all databases are on; listens on a Unix socket and on 127.0.0.1."""
    settings = {
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "max_connections": "200",
    }
    with Cluster(world / "cluster", tcp_port=free_port(), settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def sql(cluster: Cluster) -> Callable[..., list[tuple[Any, ...]]]:
    """Run one statement as the server's superuser, in a database; returns rows."""

    def run(statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        connection = connect(cluster, database)
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    run("CREATE ROLE app LOGIN PASSWORD %s", PASSWORD)
    return run


@pytest.fixture
def database(cluster: Cluster, sql: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an empty database that belongs to the role `app`."""
    name = "boot_" + re.sub(r"\W+", "_", request.node.name.lower())[:40] + f"_{time.monotonic_ns() % 10**9}"
    # Copying files is quicker than writing a log of them.
    sql(f'CREATE DATABASE "{name}" OWNER app STRATEGY file_copy')
    yield name
    sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of application that is served, wsgi or asgi: `@both` runs a test with each."""
    chosen = str(getattr(request, "param", "wsgi"))
    if chosen == "asgi" and gunicorn.version_info < (27, 0):
        pytest.skip(
            "this gunicorn has another ASGI worker; CI's check `entrypoint` has the one that is served with"
        )
    return chosen


@pytest.fixture
def environment(cluster: Cluster, database: str, kind: str) -> dict[str, str]:
    """What an operator sets for the fixture project; everything else is the entrypoint's default."""
    return {
        **({"ASGI_APPLICATION": "config.asgi:application"} if kind == "asgi" else {}),
        "PATH": os.environ["PATH"],
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(cluster.port),
        "POSTGRES_USER": "app",
        "POSTGRES_DB": database,
        "POSTGRES_PASSWORD": PASSWORD,
        "SECRET_KEY": SECRET_KEY,
        "GUNICORN_BIND": f"127.0.0.1:{free_port()}",
        "WEB_CONCURRENCY": "1",
    }


@pytest.fixture
def project(world: Path) -> Iterator[Project]:
    """A Django project that works; tests break it."""
    directory = Path(tempfile.mkdtemp(prefix="project-", dir=world))
    directory.chmod(0o755)
    yield Project(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def boot(project: Project, environment: dict[str, str]) -> Iterator[Callable[..., Boot]]:
    """Start the entrypoint on the project: boot("migrate", RUN_MIGRATIONS="0"); None unsets a variable."""
    started: list[Boot] = []

    def start(*arguments: str, options: dict[str, Any] | None = None, **changes: str | None) -> Boot:
        changed = {**environment, **changes}
        values = {name: value for name, value in changed.items() if value is not None}
        started.append(Boot(project.directory, arguments, values, options or {}))
        return started[-1]

    yield start
    for each in started:
        each.close()
