"""How boot grows: with applied migrations, with static files, with replicas that start at once."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path

from bench.lab import Lab, Site, boot

MIGRATIONS = (10, 100, 1000)
FILES = (100, 1000, 10000)
REPLICAS = (1, 4, 16)

SETTINGS = """
from config.settings.production import *
INSTALLED_APPS = [*INSTALLED_APPS, "growth"]
"""
FIRST = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))])]
"""
NEXT = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("growth", "{before}")]
    operations = [migrations.AddField("thing", "field", models.IntegerField(default={number}))]
"""
# Tables have at most 1600 columns, the dropped ones included: every second migration only alters a default.
ALTER = NEXT.replace("AddField", "AlterField")


@dataclass
class Curve:
    """One picture: for each of its lines the samples, in seconds, by size."""

    name: str
    title: str
    axis: str
    lines: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, line: str, size: int, seconds: float) -> None:
        self.lines.setdefault(line, {}).setdefault(size, []).append(seconds)

    def points(self, line: str) -> list[tuple[int, float]]:
        """Sizes and medians."""
        return [(size, statistics.median(samples)) for size, samples in sorted(self.lines[line].items())]


def curves(lab: Lab, times: int, largest: int) -> list[Curve]:
    """`largest` leaves out what is larger: migrations, hundreds of files and replicas alike."""
    return [
        migrations(lab, times, [size for size in MIGRATIONS if size <= largest]),
        files(lab, times, [size for size in FILES if size <= largest * 10]),
        replicas(lab, times, [size for size in REPLICAS if size <= largest]),
    ]


def migrations(lab: Lab, times: int, sizes: list[int]) -> Curve:
    curve = Curve("migrations", "Boot with applied migrations", "applied migrations")
    for size in sizes:
        site = growing(lab, f"migrations_{size}")
        write_migrations(site.folder / "growth/migrations", size)
        boot(lab.entrypoint, site)
        for _ in range(times):
            curve.add("here", size, boot(lab.entrypoint, site))
            curve.add("each step a process", size, boot(lab.documents, site))
    return curve


def files(lab: Lab, times: int, sizes: list[int]) -> Curve:
    curve = Curve("files", "Boot with static files", "static files")
    for size in sizes:
        site = growing(lab, f"files_{size}")
        folder = site.folder / "growth/static/growth"
        folder.mkdir(parents=True)
        for number in range(size):
            folder.joinpath(f"{number}.css").write_text(f".rule{number} {{ color: #{number:06x}; }}\n" * 20)
        curve.add("here, first", size, boot(lab.entrypoint, site))
        for _ in range(times):
            curve.add("here, nothing changed", size, boot(lab.entrypoint, site))
        # Once, for it takes long.
        curve.add("each step a process", size, boot(lab.documents, site))
    return curve


def replicas(lab: Lab, times: int, sizes: list[int]) -> Curve:
    """Seconds until the last of them serves; they share the database and the static directory."""
    curve = Curve("replicas", "Boot of replicas at once", "replicas, one worker each")
    first = growing(lab, "replicas", WEB_CONCURRENCY="1")
    for size in sizes:
        for _ in range(times):
            first.reset()
            sites = [lab.another(first) for _ in range(size)]
            curve.add("first", size, boot(lab.entrypoint, *sites))
            curve.add("nothing changed", size, boot(lab.entrypoint, *sites))
    return curve


def growing(lab: Lab, name: str, **variables: str) -> Site:
    """A site with one more app, which has nothing in it yet."""
    site = lab.site(name, DJANGO_SETTINGS_MODULE="config.settings.growth", **variables)
    site.folder.joinpath("config/settings/growth.py").write_text(SETTINGS)
    for folder in ("growth", "growth/migrations"):
        site.folder.joinpath(folder).mkdir()
        site.folder.joinpath(folder, "__init__.py").touch()
    return site


def write_migrations(folder: Path, size: int) -> None:
    before = "m0000"
    folder.joinpath(f"{before}.py").write_text(FIRST)
    for number in range(1, size):
        template = NEXT if number == 1 else ALTER
        name = f"m{number:04}"
        folder.joinpath(f"{name}.py").write_text(template.format(before=before, number=number))
        before = name
