"""From an edit to a node's first answer, and what a node pulls of an update of Django."""

from __future__ import annotations

import hashlib
import time
import tomllib
from pathlib import Path

from bench.conventional import application_context
from bench.lab import BenchError, Site, run
from bench.node import Node
from bench.rebuild import checkout, layers
from bench.report import Row, interleave

PLAIN = "--dest-tls-verify=false"
LOCK = "backend/pylock.toml"


def rows(folder: Path, builder: Node, host: str, site: Site, times: int) -> list[Row]:
    """`builder` has the conventional image but for the project, as `base:1` of the registry at `host`."""
    edit = Row(
        "edit-200",
        "an edit of a view: build, push, pull, first 200, {}",
        "docker build, push, pull, first 200",
        "0.40",
        "s",
    )
    update = Row("update-bytes", "what an update of Django moves", "Django's wheel", "1.30", "B")
    try:
        tree = checkout(folder / "tree")
        with Node(folder / "edits") as node:
            edit.what = edit.what.format(node.docker.name)
            measure_edits(edit, tree, folder, builder, node, host, site, times)
        update.ours, update.theirs = django_update(tree, folder)
    except BenchError as error:
        for row in (edit, update):
            row.not_measured = "" if row.ours else str(error)
    return [edit, update]


def measure_edits(
    row: Row, tree: Path, folder: Path, builder: Node, node: Node, host: str, site: Site, times: int
) -> None:
    """Edit a view again and again; the node has the image of before."""
    ours, theirs = f"{host}/ours:edit", f"{host}/conventional:edit"
    view = min(tree.glob("backend/*/views.py"))
    context = application_context(folder / "context", tree / "backend", f"{host}/base:1")

    def arrives(reference: str) -> float:
        return node.docker.pull(reference) + node.docker.first_200(reference, site)

    def here() -> float:
        change(view)
        began = time.monotonic()
        run([str(tree / "nixw"), "run", ".#image.push", "--", f"docker://{ours}", PLAIN], cwd=tree)
        return time.monotonic() - began + arrives(ours)

    def there() -> float:
        change(context / "app" / view.relative_to(tree / "backend"))
        began = time.monotonic()
        builder.docker("build", "--quiet", f"--tag={theirs}", str(context))
        builder.docker("push", "--quiet", theirs)
        return time.monotonic() - began + arrives(theirs)

    interleave({"ours": here, "theirs": there}, 1)
    samples = interleave({"ours": here, "theirs": there}, times)
    row.ours, row.theirs = samples["ours"], samples["theirs"]


def change(view: Path) -> None:
    """With an edit that no other run has made, for Nix remembers those."""
    with view.open("a") as file:
        file.write(f"edited = {time.time_ns()}\n")


def django_update(tree: Path, folder: Path) -> tuple[list[float], list[float]]:
    """Bytes of the layers that the tree's image has and that with Django's release before has not; and of a wheel."""
    now = layers(tree, folder / "now")
    lock = tree / LOCK
    text = lock.read_text()
    (django,) = (each for each in tomllib.loads(text)["packages"] if each["name"] == "django")
    minor, _, patch = django["version"].rpartition(".")
    version = f"{minor}.{int(patch) - 1}"
    download = ["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    run([*download, "--dest", str(folder / "django"), f"Django=={version}"])
    (wheel,) = (folder / "django").iterdir()
    content = wheel.read_bytes()
    (locked,) = django["wheels"]
    for old, new in (
        (f'name = "django"\nversion = "{django["version"]}"', f'name = "django"\nversion = "{version}"'),
        (locked["name"], wheel.name),
        (locked["hashes"]["sha256"], hashlib.sha256(content).hexdigest()),
    ):
        text = text.replace(old, new)
    lock.write_text(text)
    before = layers(tree, folder / "before")
    moved = sum(size for digest, size in now.items() if digest not in before)
    return [float(moved)], [float(len(content))]
