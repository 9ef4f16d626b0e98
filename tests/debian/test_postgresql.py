"""PostgreSQL of the package set: it finds its time zones, whatever became of the cluster since it was made."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import OWNER, Cluster, ordinary_user

SUMMER_IN_BERLIN = "SET TIME ZONE 'Europe/Berlin'; SELECT timestamptz '2026-07-01 12:00+00'"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster that was made, used, and is stopped."""
    # Not in pytest's folder, which other users may not enter.
    place = Path(tempfile.mkdtemp(prefix="cluster-"))
    place.chmod(0o755)
    cluster = Cluster(place / "cluster", settings={"fsync": "off"})
    with cluster:
        assert ask(cluster.host, cluster.password) == "2026-07-01 14:00:00+02"
    yield cluster
    shutil.rmtree(place)


def ask(host: str, password: str) -> str:
    """The server's answer, in a session with a time zone of its own."""
    command = ["psql", "--host", host, "--username", OWNER, "--no-align", "--tuples-only", "--quiet"]
    environment = os.environ | {"PGPASSWORD": password}
    command += ["--command", SUMMER_IN_BERLIN, "postgres"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def link_to_what_is_gone(data: Path) -> None:
    (data / "zoneinfo").unlink(missing_ok=True)
    (data / "zoneinfo").symlink_to("/nix/store/00000000000000000000000000000000-tzdata/share/zoneinfo")


def made_by_another_server(data: Path) -> None:
    (data / "zoneinfo").unlink(missing_ok=True)


@pytest.mark.parametrize("change", [link_to_what_is_gone, made_by_another_server])
def test_time_zones_are_found_at_the_next_start(cluster: Cluster, change: Callable[[Path], None]):
    change(cluster.data)
    with cluster:
        assert ask(cluster.host, cluster.password) == "2026-07-01 14:00:00+02"


def test_time_zones_are_found_when_pg_ctl_starts_the_server(cluster: Cluster):
    link_to_what_is_gone(cluster.data)
    user = ordinary_user()
    account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    control = ["pg_ctl", "--pgdata", str(cluster.data), "--wait", "--silent"]
    server = f"-c listen_addresses= -k {cluster.data}"
    log = str(cluster.data / "log")
    subprocess.run([*control, "--options", server, "--log", log, "start"], check=True, **account)
    try:
        assert ask(str(cluster.data), cluster.password) == "2026-07-01 14:00:00+02"
    finally:
        subprocess.run([*control, "stop"], check=True, **account)


def test_a_server_for_a_single_user(cluster: Cluster):
    link_to_what_is_gone(cluster.data)
    user = ordinary_user()
    account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    command = ["postgres", "--single", "-D", str(cluster.data), "postgres"]
    statement = "SET TIME ZONE 'Europe/Berlin'; SELECT timestamptz '2026-07-01 12:00+00'\n"
    result = subprocess.run(command, input=statement, capture_output=True, text=True, **account)
    assert "2026-07-01 14:00:00+02" in result.stdout, result.stderr
