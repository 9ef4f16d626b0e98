"""The image for the other architecture boots, with an emulator of its processor, against this machine's PostgreSQL."""

from __future__ import annotations

import contextlib
import http.client
import re
import secrets
from collections.abc import Iterator

import pytest

from tests.architectures.conftest import OTHER
from tests.container.engine import Container, docker
from tests.container.images import build, load, load_aside
from tests.container.lab import Images, Lab, Server, start_server, unique
from tests.running import until

# Seconds. An emulator takes ten times as long, on a busy machine a hundred times.
PATIENCE = 900.0


@pytest.fixture
def backend_image(other_archive, engine, emulation) -> Iterator[str]:
    """In the engine under a name of its own."""
    tag = f"{unique('image')}:latest"
    yield load_aside(other_archive, tag)
    docker("image", "rm", tag)


@pytest.fixture
def lab(backend_image) -> Iterator[Lab]:
    lab = Lab(Images(backend=backend_image, postgres=load(build("postgres-image"))))
    yield lab
    lab.close(False, "")


@pytest.fixture
def server(lab) -> Server:
    """PostgreSQL on the test's own network. Hashing a password 4096 times is too much for an emulator's deadlines."""
    password = secrets.token_urlsafe(24)
    here = ("--network", lab.network, "--network-alias", "db", "--env", f"POSTGRES_PASSWORD={password}")
    container = start_server(lab.images, *here, settings=("scram_iterations=1",))
    lab.containers.append(container)
    return Server(container, password).until_ready()


def answers(backend: Container) -> bool:
    assert backend.running, backend.output
    with contextlib.suppress(OSError, http.client.HTTPException):
        return backend.get("/api/health/").status == 200
    return False


def test_it_boots_and_serves_its_style_sheet(lab, server):
    """Restarted if a connection was too slow for it, as deployments do."""
    database = server.database()
    waiting = {"DATABASE_WAIT_TIMEOUT": "600", "WEB_CONCURRENCY": "1", "PGGSSENCMODE": "disable"}
    options = ("--restart", "on-failure", "--publish", "127.0.0.1::8000")
    backend = lab.backend(options=options, **waiting, **database.environment).start()
    until(lambda: answers(backend), "200", PATIENCE, pause=1)
    assert len(database.migrations("auth")) > 5
    proxied = {"Host": "localhost", "X_Forwarded_Proto": "https"}
    page = backend.get("/admin/login/", **proxied)
    sheet = re.search(rb'href="(/static/[^"]+\.css)"', page.body)
    assert sheet, page.body
    style = backend.get(sheet[1].decode(), **proxied)
    assert (style.status, style.headers["Content-Type"]) == (200, 'text/css; charset="utf-8"')
    assert b"{" in style.body

    said = backend.execute("uname", "-m")
    assert said.stdout.strip() == OTHER.machine
    # The links to busybox were made without running it.
    listed = backend.execute("busybox", "--list").stdout.split()
    linked = backend.execute("sh", "-c", 'ls "$(dirname "$(readlink -f /bin/sh)")"').stdout.split()
    assert sorted(linked) == sorted({*listed, "busybox"})
