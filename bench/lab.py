"""The image's own programs on this machine: same store paths, same variables, same workers, no container."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import psycopg2

from cluster import OWNER, Cluster, ordinary_user
from workdir import copy_project

READY = "/api/health/"
DEADLINE = 300.0  # seconds for a boot; the slowest collects 10 000 files

# gunicorn as the documents start it, but on the site's own address; for ASGI with the worker that it has for that.
GUNICORN = (
    'exec gunicorn --config "${CONFIG:-gunicorn_config.py}" --bind "$GUNICORN_BIND"'
    ' ${ASGI_APPLICATION:+--worker-class asgi} "${ASGI_APPLICATION:-config.wsgi:application}"'
)

# The boot sequence of the two documents that the image is held to, each step a process of its own.
DOCUMENTS = f"""
set -e
pg_isready -q -h "$POSTGRES_HOST" -p "$POSTGRES_PORT" -U "$POSTGRES_USER"
python manage.py migrate
python manage.py collectstatic --noinput
{GUNICORN}
"""


_numbers = itertools.count()


class BenchError(Exception):
    """It cannot be measured; the message is one sentence for a person."""


@dataclass
class Site:
    """The project in a folder of its own with a database of its own, and the ways to start it."""

    lab: Lab
    name: str
    folder: Path
    environment: dict[str, str]

    def connect(self) -> Any:
        """A connection of psycopg2's to its database, as the server's superuser."""
        cluster = self.lab.cluster
        return psycopg2.connect(
            host=cluster.host,
            port=cluster.port,
            user=OWNER,
            password=cluster.password,
            dbname=self.environment["POSTGRES_DB"],
        )

    def reset(self) -> None:
        """As before the first boot: an empty database, an empty static directory.

        The old ones stay until the end: ext4 is slow to make files where some were deleted in the last minutes.
        """
        self.environment["POSTGRES_DB"] = self.lab.new_database()
        static = self.folder / "staticfiles"
        owner = static.stat()
        static.rename(self.lab.folder / f"old-{next(_numbers)}")
        static.mkdir()
        os.chown(static, owner.st_uid, owner.st_gid)

    @contextlib.contextmanager
    def running(self, command: list[str], output: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """The process, from its first 200 on; stopped in the end."""
        process = self.start(command, output)
        try:
            self.wait(process)
            yield process
        finally:
            stop(process)

    def start(self, command: list[str], output: int | None = None) -> subprocess.Popen[bytes]:
        """Start it. What it writes goes to its log, or to the descriptor `output`."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=log if output is None else output,
                stderr=log if output is None else output,
                **self.lab.account,
            )

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until the first 200."""
        wait_for_200(self.port, process, self.log)

    @property
    def log(self) -> Path:
        return self.lab.folder / f"{self.name}-{self.port}.log"

    @property
    def port(self) -> int:
        return int(self.environment["GUNICORN_BIND"].rpartition(":")[2])


class Lab:
    """A PostgreSQL with its usual durability, and as many sites as are asked for, below `folder`.

    `configuration` is the image's, in the words of the OCI image specification; `project` is what it has in /app.
    """

    def __init__(self, folder: Path, configuration: dict[str, Any], project: Path) -> None:
        self.folder, self.project = folder, project
        self.command: list[str] = configuration["Entrypoint"]
        self.environment = dict(variable.split("=", 1) for variable in configuration["Env"])
        self.user = ordinary_user()
        self.account: dict[str, Any] = (
            {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        )
        folder.chmod(0o755)
        self.cluster = Cluster(folder / "postgresql")

    def __enter__(self) -> Self:
        self.cluster.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()

    @property
    def entrypoint(self) -> list[str]:
        """The image's entry point, without the init in front of it."""
        return self.command[self.command.index("--") + 1 :]

    @property
    def documents(self) -> list[str]:
        return ["sh", "-c", DOCUMENTS]

    @property
    def gunicorn(self) -> list[str]:
        return ["sh", "-c", GUNICORN]

    def site(self, name: str, **variables: str) -> Site:
        """A new site; `variables` come on top of the image's own and of what a deployment must set."""
        environment = self.environment | {
            "SECRET_KEY": "k3" * 10 + "only-measured-with" * 3,
            "ALLOWED_HOSTS": "127.0.0.1",
            "CSRF_TRUSTED_ORIGINS": "http://127.0.0.1",
            "CORS_ALLOWED_ORIGINS": "http://127.0.0.1",
            "HTTPS_ONLY": "0",
            "GUNICORN_BIND": f"127.0.0.1:{free_port()}",
            "POSTGRES_HOST": self.cluster.host,
            "POSTGRES_PORT": str(self.cluster.port),
            "POSTGRES_USER": OWNER,
            "POSTGRES_DB": self.new_database(),
            "POSTGRES_PASSWORD": self.cluster.password,
        }
        folder = copy_project(self.project, self.folder / name, self.user)
        return Site(self, name, folder, environment | variables)

    def another(self, site: Site) -> Site:
        """A replica of the site: same folder, same database, another port."""
        return replace(site, environment=site.environment | {"GUNICORN_BIND": f"127.0.0.1:{free_port()}"})

    def new_database(self) -> str:
        """The name of an empty database."""
        name = f"bench_{next(_numbers)}"
        result = subprocess.run(
            ["createdb", "-h", self.cluster.host, "-p", str(self.cluster.port), "-U", OWNER, name],
            env=os.environ | {"PGPASSWORD": self.cluster.password},
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise BenchError(f"createdb failed: {' '.join(result.stderr.split())}")
        return name


def boot(command: list[str], *sites: Site) -> float:
    """Seconds from the exec of `command` to the first 200, of the last of the sites if they are several."""
    began = time.monotonic()
    processes = [site.start(command) for site in sites]
    try:
        for site, process in zip(sites, processes, strict=True):
            site.wait(process)
        return time.monotonic() - began
    finally:
        for process in processes:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and wait for its end."""
    process.terminate()
    process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_200(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until the answer is 200. Raises BenchError if the server ends before, or after DEADLINE."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"The server ended with {process.returncode}: {''.join(last)}")
        with contextlib.suppress(OSError):
            if get(port, READY).startswith(b"HTTP/1.1 200 "):
                return
        time.sleep(0.001)
    raise BenchError(f"No answer from {READY} within {DEADLINE:.0f} s; see {log}.")


def request(port: int, path: str) -> None:
    """One request that counts. Raises BenchError unless it is answered with 200."""
    try:
        answer = get(port, path)
    except OSError as error:
        raise BenchError(f"{path} could not be requested: {error}") from error
    status = answer.partition(b"\r\n")[0].decode(errors="replace")
    if not status.startswith("HTTP/1.1 200 "):
        raise BenchError(f"{path} answered {status or 'nothing'} to one of the requests")


def get(port: int, path: str, patience: float = 30) -> bytes:
    """One request on a connection of its own; the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = bytearray()
        while data := connection.recv(65536):
            answer += data
    return bytes(answer)


def run(command: list[str], **options: object) -> None:
    """Run a program. Raises BenchError with its last words if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, env=machine_environment(), **options)  # type: ignore[call-overload]
    if result.returncode != 0:
        reason = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise BenchError(f"{command[0]} failed: {''.join(reason)}")


def machine_environment() -> dict[str, str]:
    """The environment without what points Python at the image's modules."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
