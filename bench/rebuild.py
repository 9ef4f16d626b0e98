"""What an edit of a view costs: bytes of changed layers, and the time of a build; and the phases of a first build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench.conventional import RELEASE
from bench.lab import BenchError, machine_environment, run
from bench.report import Row

PHASES = {
    "install": "install Nix",
    "seed": "fetch the package set",
    "build": "build packages, environment, application",
    "gzip": "compress the layers and the image",
    "tar": "write the layers' archives",
}


def rows(times: int, cold: bool) -> list[Row]:
    """An edit's rebuild, and the phases of a first build if it is to be `cold`."""
    moved = Row("edit-bytes", "what an edit of a view moves to a registry", "the whole image", "100 kB", "B")
    rebuild = Row("edit-rebuild", "build .#image after that edit", "the flake's cold build", "2 s", "s")
    phases = {
        name: Row(f"clone-{name}", f"fresh clone to image: {what}", "-", "-", "s")
        for name, what in PHASES.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            tree = checkout(folder / "tree")
        except BenchError as error:
            for row in (moved, rebuild, *phases.values()):
                row.not_measured = str(error)
            return [moved, rebuild, *phases.values()]
        edits(tree, folder / "image", times, moved, rebuild)
        measure_phases(tree, folder, phases, rebuild, cold)
    return [moved, rebuild, *phases.values()]


def checkout(target: Path) -> Path:
    """A copy of the repository in the working directory, as a fresh clone would have it."""
    source = Path.cwd()
    if not all((source / name).exists() for name in ("flake.nix", "nixw", ".git")):
        raise BenchError("the working directory is not the repository's")
    if not (shutil.which("git") and shutil.which("nix")):
        raise BenchError("no git or no nix on PATH")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, env=machine_environment()
    )
    for file in listed.stdout.split("\0"):
        if (source / file).is_file():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / file, target / file)
    git = ["git", "-C", str(target), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        run([*git, *command])
    return target


def edits(tree: Path, link: Path, times: int, moved: Row, rebuild: Row) -> None:
    """Edit a view and build, again and again; with edits that no other run has made, for Nix remembers those."""
    view = min(tree.glob("backend/*/views.py"))
    build(tree, "image", link)
    before = layers(tree, link)
    for _ in range(times):
        with view.open("a") as file:
            file.write(f"edited = {time.time_ns()}\n")
        rebuild.ours.append(build(tree, "image", link))
        after = layers(tree, link)
        moved.ours.append(float(sum(size for digest, size in after.items() if digest not in before)))
        moved.theirs.append(float(sum(after.values())))
        before = after


def layers(tree: Path, link: Path) -> dict[str, int]:
    """Digests and sizes of the image's layers as a registry has them."""
    build(tree, "oci", link)
    (image,) = json.loads((link / "index.json").read_text())["manifests"]
    manifest = json.loads((link / "blobs" / image["digest"].replace(":", "/")).read_text())
    return {layer["digest"]: layer["size"] for layer in manifest["layers"]}


def measure_phases(tree: Path, folder: Path, phases: dict[str, Row], rebuild: Row, cold: bool) -> None:
    """Build everything, from the first download on, in a Nix store of its own."""
    store = folder / "store"
    if not cold:
        reason = "skipped (--quick)"
    elif os.geteuid() != 0:
        reason = "only root can have a second Nix store on every machine"
    else:
        reason = ""
    try:
        if reason:
            raise BenchError(reason)
        variables = {"NIX_REMOTE": f"local?root={store}"}
        # The store's files are only there through Nix: links to them lead nowhere here, and none are made.
        phases["seed"].ours.append(build(tree, "image", None, variables, "--dry-run"))
        parts = ("environment", "entrypoint", "project")
        phases["build"].ours.append(sum(build(tree, part, None, variables) for part in parts))
        packed = build(tree, "image", None, variables)
        rebuild.theirs = [phases["build"].ours[0] + packed]
        archives = write_archives(tree, folder)
        phases["tar"].ours.append(archives)
        phases["gzip"].ours.append(max(0.0, packed - archives))
    except BenchError as error:
        for name in ("seed", "build", "gzip", "tar"):
            phases[name].not_measured = str(error)
        rebuild.not_measured = str(error)
    finally:
        remove_store(store)
    try:
        phases["install"].ours.append(install_nix(folder) if cold else skipped())
    except BenchError as error:
        phases["install"].not_measured = str(error)


def skipped() -> float:
    raise BenchError("skipped (--quick)")


def build(
    tree: Path, part: str, link: Path | None, variables: dict[str, str] | None = None, *options: str
) -> float:
    """Seconds that `./nixw build .#PART` takes."""
    where = ["--out-link", str(link)] if link else ["--no-link"]
    began = time.monotonic()
    result = subprocess.run(
        [str(tree / "nixw"), "build", f".#{part}", *where, *options],
        cwd=tree,
        env=machine_environment() | (variables or {}),
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise BenchError(f"nixw build .#{part} failed: {result.stderr.strip().splitlines()[-1]}")
    return time.monotonic() - began


def write_archives(tree: Path, folder: Path) -> float:
    """Seconds that it takes to write the image's layers, without compressing them."""
    link = folder / "stream"
    build(tree, "image-stream", link)
    began = time.monotonic()
    subprocess.run([str(link.resolve())], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def remove_store(store: Path) -> None:
    """Nix makes its files read-only."""
    if store.exists():
        run(["chmod", "-R", "u+w", str(store)])
        shutil.rmtree(store)


def install_nix(folder: Path) -> float:
    """Seconds that nix-bin adds to the making of a new Debian in a folder of its own; this machine's is left alone."""
    if not shutil.which("mmdebstrap") or os.geteuid() != 0:
        raise BenchError("it takes root, and mmdebstrap on PATH (apt-get install mmdebstrap)")
    seconds = []
    for more in ([], ["--include=nix-bin"]):
        began = time.monotonic()
        run(["mmdebstrap", "--quiet", "--variant=apt", *more, RELEASE, str(folder / "root.tar")])
        seconds.append(time.monotonic() - began)
    return seconds[1] - seconds[0]
