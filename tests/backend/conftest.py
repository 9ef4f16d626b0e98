"""The backend under test: against a real PostgreSQL, with production settings wherever that is possible.

Django itself runs in this process on `config.settings.test` (views, admin, commands); production settings
are loaded anew for each environment; and `server` is the documents' own sequence, each step a process.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg2
import pytest
from django.conf import settings
from psycopg2 import sql

BACKEND = Path(__file__).resolve().parents[2] / "backend"
USER = "eatfit24"
PASSWORD = "p'w \\ %s $HOME ü"  # what a careless hand would quote wrongly
KEEP = ("PATH", "PYTHONPATH", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH")

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "kX3v9mQ_7tZbR2wYh5LdN8sJ0cFgA4uPeVxTiOq6WnMyBjEzHf1KrDl",
    "ALLOWED_HOSTS": "api.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://app.example.com",
    "CORS_ALLOWED_ORIGINS": "https://app.example.com",
    "POSTGRES_PASSWORD": PASSWORD,
}

if not settings.configured:
    # Loaded here, for test modules import models; the variable is not left behind for other tests.
    with mock.patch.dict(os.environ, {"DJANGO_SETTINGS_MODULE": "config.settings.test"}):
        os.environ.pop("POSTGRES_HOST", None)
        import django

        django.setup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A running cluster with a role and a database named eatfit24."""
    from cluster import Cluster

    # Not below pytest's own directory: as root the server runs as an account that cannot enter it.
    directory = Path(tempfile.mkdtemp(prefix="backend-"))
    directory.chmod(0o755)
    try:
        with Cluster(directory / "cluster", settings={"fsync": "off"}) as cluster:
            make_role_and_database(cluster)
            yield cluster
    finally:
        shutil.rmtree(directory)


def make_role_and_database(cluster: Any) -> None:
    host = "127.0.0.1" if cluster.tcp_port else cluster.host
    connection = psycopg2.connect(
        host=host, port=cluster.port, user="postgres", password=cluster.password, dbname="postgres"
    )
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                sql.Identifier(USER), sql.Literal(PASSWORD)
            )
        )
        cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(USER)))


@pytest.fixture(scope="session")
def database_variables(postgres: Any) -> dict[str, str]:
    """The POSTGRES_ variables of the session's cluster."""
    return {
        "POSTGRES_HOST": postgres.host,
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_USER": USER,
        "POSTGRES_DB": USER,
        "POSTGRES_PASSWORD": PASSWORD,
    }


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_variables: dict[str, str]) -> None:
    """pytest-django's hook: its test database is made in the cluster, by production's own settings."""
    from django.db import connections

    from config.database import postgresql
    from config.env import Environment

    settings.DATABASES = postgresql(Environment(database_variables))
    connections.settings = connections.configure_settings(settings.DATABASES)
    with contextlib.suppress(AttributeError):
        del connections["default"]


@pytest.fixture(scope="session")
def production() -> dict[str, str]:
    """A complete, right environment for production, but for the database's address."""
    return dict(PRODUCTION)


@pytest.fixture(scope="session")
def load() -> Callable[..., dict[str, Any]]:
    """A function that loads the settings module `name` in the environment `variables`; returns its names."""

    def load(variables: dict[str, str], name: str = "production") -> dict[str, Any]:
        with mock.patch.dict(os.environ, variables, clear=True):
            return runpy.run_path(str(BACKEND / f"config/settings/{name}.py"))

    return load


@pytest.fixture(scope="session")
def backend() -> Path:
    return BACKEND


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project that may be written to, without what runs have left in it."""
    return copy_project(tmp_path / "app")


def copy_project(target: Path) -> Path:
    leftovers = ("staticfiles", "media", "logs", "__pycache__", "*.sqlite3")
    shutil.copytree(BACKEND, target, ignore=shutil.ignore_patterns(*leftovers))
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return target


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs Python with `arguments` in `directory`, in the environment `variables` alone."""

    def run(directory: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=directory,
            env=environment(variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def environment(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEEP if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Server:
    """gunicorn, serving the project in `directory`; its output goes to `log`."""

    directory: Path
    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    def request(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request; header names are written with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


@contextlib.contextmanager
def serve(directory: Path, variables: dict[str, str]) -> Iterator[Server]:
    """`gunicorn --config gunicorn_config.py config.wsgi:application`, on a port of its own choice."""
    log = directory.parent / f"{directory.name}.log"
    command = [sys.executable, "-m", "gunicorn"]
    command += ["--config", "gunicorn_config.py", "--bind", "127.0.0.1:0", "config.wsgi:application"]
    variables = {"WEB_CONCURRENCY": "1", **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=directory, env=environment(variables), stdout=output, stderr=output
        )
    server = Server(directory, process, log)
    try:
        for _ in range(600):
            listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())
            if listening:
                server.port = int(listening[1])
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        assert server.port, log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def start_server() -> Callable[..., contextlib.AbstractContextManager[Server]]:
    return serve


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    database_variables: dict[str, str],
    run: Callable[..., subprocess.CompletedProcess[str]],
) -> Iterator[Server]:
    """The documents' sequence on an empty database: migrate, collectstatic, gunicorn; HTTPS_ONLY as it is."""
    directory = copy_project(tmp_path_factory.mktemp("server") / "app")
    variables = {**PRODUCTION, **database_variables}
    for command in (["migrate", "--noinput"], ["collectstatic", "--noinput"]):
        result = run(directory, variables, "manage.py", *command)
        assert result.returncode == 0, result.stderr
    with serve(directory, variables) as server:
        yield server
