"""Requests per second in a container, against the same processes outside of one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.archive import Archive
from bench.lab import BenchError, Lab, Site, free_port, request, stop, wait_for_200
from bench.report import Row, interleave

PATHS = {"live": "/api/health/live/", "static": "/static/admin/css/base.css"}
CLIENTS = 4
BURST = 16  # requests; some hundredths of a second, for a machine's moods last longer
# One half of the processors for the servers and one for the clients. Sharing them, a container would get another share
# than processes beside it, for the kernel divides between groups first: that would be measured, and not the servers.
PROCESSORS = sorted(os.sched_getaffinity(0))
FOR_SERVERS = set(PROCESSORS[len(PROCESSORS) // 2 :])
FOR_CLIENTS = set(PROCESSORS[: len(PROCESSORS) // 2]) or FOR_SERVERS
WARM_UP = 100  # requests, so that every worker has had its first ones


def rows(lab: Lab, image: Archive, times: int, turns: int) -> list[Row]:
    """Requests a second in a container, and of the same processes outside; without figures, the reason."""
    result = [
        Row(
            f"throughput-{name}",
            f"requests/s in a container, {path}",
            "the same processes outside",
            "0.97 or more",
            "/s",
        )
        for name, path in PATHS.items()
    ]
    try:
        require_docker()
        # To files, both: an engine that takes in a container's output is at work on the same cores.
        alike = {"GUNICORN_LOG_TO_FILES": "1", "WEB_CONCURRENCY": "2"}
        sites = lab.site("inside", **alike), lab.site("outside", **alike)
        with loaded(image) as number:
            # Each start is a bit faster or slower than another, for as long as it lasts, and the second more often.
            for order in (1, -1) * times:
                with servers(lab, sites, number, order) as ports, confined_to(FOR_CLIENTS):
                    for row, path in zip(result, PATHS.values(), strict=True):
                        measure(row, path, ports, turns)
    except BenchError as error:
        for row in result:
            row.not_measured = str(error)
            # What was measured before is of a server that was about to fail.
            row.ours, row.theirs = [], []
    return result


def measure(row: Row, path: str, ports: tuple[int, int], turns: int) -> None:
    inside, outside = ports
    for port in ports:
        burst(port, path, WARM_UP)
    seconds = interleave(
        {"inside": lambda: burst(inside, path, BURST), "outside": lambda: burst(outside, path, BURST)}, turns
    )
    row.ours += [BURST / each for each in seconds["inside"]]
    row.theirs += [BURST / each for each in seconds["outside"]]


def require_docker() -> None:
    if not shutil.which("docker"):
        raise BenchError("no docker on PATH")
    if subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        raise BenchError("no Docker engine answers")


@contextlib.contextmanager
def servers(lab: Lab, sites: tuple[Site, Site], image: str, order: int) -> Iterator[tuple[int, int]]:
    """The ports of a server in a container and of one outside, both on the host's network.

    With an `order` of -1 the one outside is started first.
    """
    inside, outside = sites
    starts = [container(lab, inside, image), process(lab, outside)]
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(start) for start in starts[::order]]
        yield ports[::order][0], ports[::order][1]


@contextlib.contextmanager
def process(lab: Lab, site: Site) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        with confined_to(FOR_SERVERS):
            stack.enter_context(site.running(lab.entrypoint))
        yield site.port


@contextlib.contextmanager
def confined_to(processors: set[int]) -> Iterator[None]:
    """Confine this thread, and what it starts meanwhile, to some processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def loaded(image: Archive) -> Iterator[str]:
    """The image in the engine, by its number alone, so that no tag of anybody's is moved."""
    buffer = io.BytesIO()
    with tarfile.open(image.path) as source, tarfile.open(fileobj=buffer, mode="w") as target:
        for member in source:
            file = source.extractfile(member)
            content = file.read() if file else b""
            if member.name == "manifest.json":
                manifest = json.loads(content)
                manifest[0]["RepoTags"] = None
                content = json.dumps(manifest).encode()
                number = manifest[0]["Config"].removesuffix(".json")
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    there = subprocess.run(["docker", "image", "inspect", number], capture_output=True).returncode == 0
    if not there:
        result = subprocess.run(["docker", "load", "--quiet"], input=buffer.getvalue(), capture_output=True)
        if result.returncode != 0:
            raise BenchError(f"docker load failed: {result.stderr.decode().strip()}")
    try:
        yield number
    finally:
        if not there:
            subprocess.run(["docker", "image", "rm", number], capture_output=True)


@contextlib.contextmanager
def container(lab: Lab, site: Site, image: str) -> Iterator[int]:
    Path(lab.cluster.host).chmod(0o755)  # the container's user is another one than the server's
    port = free_port()
    variables = {name: value for name, value in site.environment.items() if name not in lab.environment}
    variables["GUNICORN_BIND"] = f"127.0.0.1:{port}"
    options = [f"--env={name}={value}" for name, value in variables.items()]
    options.append(f"--cpuset-cpus={','.join(map(str, sorted(FOR_SERVERS)))}")
    options += ["--volume=/app/staticfiles", "--volume=/app/logs"]  # on a file system like that outside
    with site.log.open("wb") as output:
        process = subprocess.Popen(
            ["docker", "run", "--rm", "--network=host", f"--volume={lab.cluster.host}:{lab.cluster.host}"]
            + [*options, image],
            stdout=output,
            stderr=output,
        )
    try:
        wait_for_200(port, process, site.log)
        yield port
    finally:
        stop(process)


def burst(port: int, path: str, requests: int) -> float:
    """Seconds that so many requests take, from a few clients at once, each request on a connection of its own.

    Raises BenchError if one of them fails.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        turns = [clients.submit(request_often, port, path, requests // CLIENTS) for _ in range(CLIENTS)]
    seconds = time.monotonic() - began
    for turn in turns:
        turn.result()
    return seconds


def request_often(port: int, path: str, times: int) -> None:
    for _ in range(times):
        request(port, path)
