"""From an image in a registry to a node's first answer, against a conventional image.

The registry is on loopback, so the figures are the node's own work. What the node reads is on the disk, not in memory.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import delivery
from bench.chart import Bars
from bench.conventional import application_context, base_context
from bench.lab import BenchError, Lab, Site, boot, run
from bench.node import Node, forget_caches
from bench.registry import Registry
from bench.report import Row

ZSTD = ["--dest-compress-format=zstd", "--dest-compress-level=20"]
HERE, PACKED, THERE = "this image", "this image in zstd", "conventional image"
LAYERS = "Debian, packages, wheels, project: 4 layers"
REACH = {"Docker": "0.50", "containerd": "0.40"}


@dataclass
class Arrival:
    """Seconds on a node that had nothing: to pull, then to the first 200, and to that of a second container."""

    pull: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)

    @property
    def whole(self) -> list[float]:
        return [pull + first for pull, first in zip(self.pull, self.first, strict=True)]


Arrivals = dict[str, dict[str, Arrival]]  # by engine and image


def measure(lab: Lab, push: Path, times: int) -> tuple[list[Row], list[Bars]]:
    """The rows and the picture. Rows without figures say why."""
    folder = lab.folder / "nodes"
    folder.mkdir()
    try:
        with ExitStack() as stack:
            builder = stack.enter_context(Node(folder / "builder"))
            registry, another = (
                stack.enter_context(Registry(folder / name).running()) for name in ("gzip", "zstd")
            )
            site = lab.site("pull")
            boot(lab.entrypoint, site)  # now its database is up to date
            Path(lab.cluster.host).chmod(0o755)  # a container's user is another one than the server's
            references = fill(registry, another, builder, lab, push, folder)
            packed = Row("zstd-bytes", "layers in a registry, zstd", LAYERS, "22 MB", "B")
            packed.ours, packed.theirs = [another.size("ours", "zstd")], [registry.size("conventional", "1")]
            arrivals = arrive(references, folder, site, times)
            rows = [*rows_of(arrivals), packed, *delivery.rows(folder, builder, registry.host, site, times)]
            return rows, [bars_of(arrivals)]
    except (BenchError, OSError) as error:
        return [Row("pull", "pull and first 200", LAYERS, "0.50", "s", not_measured=str(error))], []


def fill(
    registry: Registry, another: Registry, builder: Node, lab: Lab, push: Path, folder: Path
) -> dict[str, str]:
    """Push the images; what they are called there. One registry would be given the same layers in one form alone."""
    references = {
        HERE: f"{registry.host}/ours:gzip",
        PACKED: f"{another.host}/ours:zstd",
        THERE: f"{registry.host}/conventional:1",
    }
    for name, more in {HERE: [], PACKED: ZSTD}.items():
        run([str(push), f"docker://{references[name]}", delivery.PLAIN, *more])
    base = f"{registry.host}/base:1"
    context = folder / "base"
    context.mkdir()
    builder.docker("build", "--quiet", f"--tag={base}", str(base_context(context, lab.environment)))
    project = application_context(folder / "project", lab.project, base)
    builder.docker("build", "--quiet", f"--tag={references[THERE]}", str(project))
    builder.docker("push", "--quiet", references[THERE])
    return references


def arrive(references: dict[str, str], folder: Path, site: Site, times: int) -> Arrivals:
    """Each image arrives on a node of its own, in turn."""
    arrivals: Arrivals = {}
    for turn in range(times):
        for name in list(references)[:: 1 if turn % 2 == 0 else -1]:
            print(f"Measuring the pull of {name} ({turn + 1} of {times}) ...", file=sys.stderr, flush=True)
            # A node's files stay until the end: a file system is slow to make some where others were just deleted.
            with Node(folder / f"{references[name].rpartition(':')[2]}-{turn}") as node:
                for engine in (node.docker, node.containerd):
                    if name == PACKED and not engine.reads_zstd:
                        continue
                    arrival = arrivals.setdefault(engine.name, {}).setdefault(name, Arrival())
                    forget_caches()
                    arrival.pull.append(engine.pull(references[name]))
                    arrival.first.append(engine.first_200(references[name], site))
                    arrival.again.append(engine.first_200(references[name], site))
    return arrivals


def rows_of(arrivals: Arrivals) -> list[Row]:
    """For each engine: pull, pull and first 200, run to the first 200."""
    rows = []
    for engine, images in arrivals.items():
        program, theirs = engine.partition(" ")[0], images[THERE]
        for image, ours in images.items():
            if ours is theirs:
                continue
            name = f"{program}-zstd".lower() if image == PACKED else program.lower()
            what = f"{engine}{', zstd' if image == PACKED else ''}"
            reach = REACH[program]
            rows += [
                Row(f"{name}-pull", f"{what}: pull", LAYERS, "-", "s", ours.pull, theirs.pull),
                Row(
                    f"{name}-whole",
                    f"{what}: pull and first 200",
                    LAYERS,
                    reach,
                    "s",
                    ours.whole,
                    theirs.whole,
                ),
                Row(
                    f"{name}-again",
                    f"{what}: run to first 200",
                    LAYERS,
                    "0.40",
                    "s",
                    ours.again,
                    theirs.again,
                ),
            ]
    return rows


def bars_of(arrivals: Arrivals) -> Bars:
    """A node's seconds, by engine and image."""
    bars = Bars("pull", "Seconds from pull to the first 200", ("pull", "run to the first 200"))
    for engine, images in arrivals.items():
        for image, arrival in images.items():
            bars.add(f"{engine}: {image}", arrival.pull, arrival.first)
    return bars
