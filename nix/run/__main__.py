"""`nix run`: a Django project, booted as its image boots, on a PostgreSQL of its own.

Everything it keeps is in `.run` below the working directory: the database, uploads, secrets. Remove that folder to
start anew. SIGTERM, SIGINT (Ctrl-C) and SIGHUP end it at any moment, with exit code 0. Else the exit code is that of the
boot sequence (docs/boot.md), or 1 when it did not come to that. When it is killed, what it started ends by itself.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import OWNER, Cluster, ClusterError, ordinary_user
from local_env import make_environment, values
from reachable import within_reach
from remains import ends_with_parent
from stopping import Stop, Stopped
from workdir import copy_project

HEALTH = os.environ.get("HEALTHCHECK_PATH") or "/api/health/"
DATABASE = "django"
PATIENCE = 30.0  # seconds that the processes of a run that was killed have to end


class RunError(Exception):
    """It cannot run; the message is one sentence for a person."""


def main() -> int:
    stop = Stop()
    options = parse_arguments()
    try:
        return run(options, stop)
    except Stopped:
        return 0
    except (RunError, ClusterError):
        # Ctrl-C reaches the programs that make the database as well.
        if stop.asked:
            return 0
        raise


def run(options: argparse.Namespace, stop: Stop) -> int:
    with prepare_state(Path.cwd() / ".run", stop) as (state, processes):
        check_port(options.port)
        project = copy_project(options.project, state / "app", ordinary_user())
        print("Starting PostgreSQL ...", file=sys.stderr, flush=True)
        stop.check()
        with Cluster(
            state / "postgresql", tcp_port=free_port(), check=stop.check, inherited=(processes,)
        ) as cluster:
            create_database(cluster)
            known = values(options.port, state, database_of(cluster))
            environment = make_environment(json.loads(options.environment.read_text()), known, os.environ)
            stop.check()
            server = start_server(options.entrypoint, project, environment, processes)
            stop.watch(server)
            return supervise(server, options.port, environment, stop)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nix run", description=__doc__)
    parser.add_argument("--project", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--entrypoint", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--environment", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1 (default: 8000)")
    return parser.parse_args()


@contextmanager
def prepare_state(folder: Path, stop: Stop) -> Iterator[tuple[Path, int]]:
    """Make the folder and take it for this process alone.

    Gives a path to it that an ordinary user can follow, and a file descriptor for those processes that must have ended
    before it may be used again.
    """
    try:
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        processes = os.open(folder / "processes", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise RunError(
            f"Cannot write in {folder.parent}: {error.strerror}. Run it in a folder that you may write in."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"It runs already: another process uses {folder}. Stop that one first.") from None
    wait_for_last_run(processes, folder, stop)
    user = ordinary_user()
    if user is None:
        yield folder, processes
        return
    with within_reach(folder, user) as place:
        yield place, processes


def wait_for_last_run(processes: int, folder: Path, stop: Stop) -> None:
    """Its processes hold a lock on this file: when it was killed, they still have to end."""
    end = time.monotonic() + PATIENCE
    while True:
        stop.check()
        try:
            return fcntl.flock(processes, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise RunError(
                    f"Processes of the last run still use {folder}. Find them with `fuser {folder}/processes`,"
                    " and stop them."
                ) from None
        time.sleep(0.1)


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "no such port"
            raise RunError(
                f"Cannot serve on 127.0.0.1:{port}: {reason}. Choose another port: nix run . -- --port 8001"
            ) from error


def create_database(cluster: Cluster) -> None:
    """The project's database, unless it is there from the last time."""
    environment = os.environ | {"PGPASSWORD": cluster.password}
    connection = ["--host", cluster.host, "--port", str(cluster.port), "--username", OWNER]
    query = ["psql", *connection, "--dbname", "postgres", "--tuples-only", "--no-align"]
    query += ["--command", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"]
    found = subprocess.run(query, env=environment, capture_output=True, text=True)
    if found.returncode == 0 and not found.stdout.strip():
        found = subprocess.run(
            ["createdb", *connection, DATABASE], env=environment, capture_output=True, text=True
        )
    if found.returncode != 0:
        raise RunError(f"Cannot create the database: {' '.join(found.stderr.split())}")


def database_of(cluster: Cluster) -> dict[str, str]:
    """What leads to the project's database. By TCP, since a URL cannot name a Unix socket in one way that all read."""
    return {
        "host": "127.0.0.1",
        "port": str(cluster.port),
        "name": DATABASE,
        "user": OWNER,
        "password": cluster.password,
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_server(
    entrypoint: Path, project: Path, environment: dict[str, str], processes: int
) -> subprocess.Popen[bytes]:
    user = ordinary_user()
    account: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    # A session of its own: Ctrl-C is passed on once, by `Stop`, and not by the terminal as well.
    return subprocess.Popen(
        [sys.executable, str(entrypoint)],
        cwd=project,
        env=environment,
        start_new_session=True,
        preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- there are no threads
        pass_fds=[processes],
        **account,
    )


def supervise(server: subprocess.Popen[bytes], port: int, environment: dict[str, str], stop: Stop) -> int:
    """Say when it serves, and return its exit code."""
    while server.poll() is None and not stop.asked and not serves(port):
        time.sleep(0.1)
    if server.poll() is None and not stop.asked:
        print(
            f"\n  http://127.0.0.1:{port}/admin/\n"
            f"  user {environment['DJANGO_SUPERUSER_USERNAME']}, password: see `cat .run/admin-password`\n"
            "  Ctrl-C stops it.\n",
            file=sys.stderr,
            flush=True,
        )
    code = server.wait()
    return 0 if stop.asked else code


def serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{HEALTH}", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RunError, ClusterError) as error:
        sys.exit(f"run: {error}")
    except OSError as error:
        sys.exit(f"run: {error.strerror}: {error.filename}.")
