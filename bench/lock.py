"""What a lock of 300 packages costs: the evaluation that reads it, and a build after one of its versions has changed."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from bench import locked
from bench.lab import BenchError, machine_environment
from bench.report import Row, interleave

COUNT = 300


def rows(times: int) -> list[Row]:
    """The evaluation, and a build after one version has changed; without figures, the reason."""
    evaluation = Row(
        "lock-evaluation",
        f"evaluating a project whose uv.lock has {COUNT} packages",
        "the same project, whose uv.lock has 1",
        "1 s more",
        "s",
    )
    build = Row(
        "lock-build",
        f"building its environment after another version of one of {COUNT}",
        "its first build",
        "-",
        "s",
    )
    derivations = Row(
        "lock-derivations",
        "derivations that another version changes",
        "all that the environment takes",
        "2: package and environment",
        "",
    )
    table = [evaluation, build, derivations]
    try:
        repository = checked_out()
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            evaluate(repository, Path(name), times, evaluation)
            change(repository, Path(name) / "built", times, build, derivations)
    except BenchError as error:
        for row in table:
            row.not_measured = str(error)
    return table


def checked_out() -> Path:
    """The repository in the working directory. Raises BenchError."""
    repository = Path.cwd()
    if not all((repository / name).exists() for name in ("flake.nix", "nixw")):
        raise BenchError("the working directory is not the repository's")
    return repository


def evaluate(repository: Path, folder: Path, times: int, row: Row) -> None:
    """Evaluate the environment's derivation, with each lock in turn; Nix remembers no evaluation of files that change."""

    def run(count: int) -> float:
        project = locked.Project(folder / f"evaluated-{count}", count)
        project.write()
        began = time.monotonic()
        derivation(repository, project)
        return time.monotonic() - began

    samples = interleave({"all": lambda: run(COUNT), "one": lambda: run(1)}, times)
    row.ours, row.theirs = samples["all"], samples["one"]


def change(repository: Path, folder: Path, times: int, build: Row, derivations: Row) -> None:
    """Build the environment, of wheels that no other run has made; then one in a new version, again and again."""
    project = locked.Project(folder, COUNT, with_files=True)
    project.write()
    before = requisites(derivation(repository, project))
    build.theirs = [build_environment(repository, project)]
    for turn in range(times):
        project.renew(turn * 37 % COUNT)
        project.write()
        after = requisites(derivation(repository, project))
        build.ours.append(build_environment(repository, project))
        derivations.ours.append(float(len(after - before)))
        derivations.theirs.append(float(len(after)))
        before = after


def build_environment(repository: Path, project: locked.Project) -> float:
    """Seconds that it takes."""
    began = time.monotonic()
    nixw(repository, project, "build", "--no-link", ".#image.environment")
    return time.monotonic() - began


def derivation(repository: Path, project: locked.Project) -> str:
    """That of the project's environment."""
    return nixw(repository, project, "eval", "--raw", ".#image.environment.drvPath")


def requisites(derivation: str) -> set[str]:
    """The derivations that it takes to build this one, itself among them."""
    result = subprocess.run(
        ["nix-store", "--query", "--requisites", derivation],
        env=machine_environment(),
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise BenchError(f"nix-store failed: {result.stderr.strip().splitlines()[-1]}")
    return {path for path in result.stdout.split() if path.endswith(".drv")}


def nixw(repository: Path, project: locked.Project, *arguments: str) -> str:
    """Run the repository's `nixw` in the project's folder; what it prints."""
    result = subprocess.run(
        [repository / "nixw", *arguments],
        cwd=project.folder,
        env=machine_environment(),
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise BenchError(f"nixw {arguments[0]} failed: {result.stderr.strip().splitlines()[-1]}")
    return result.stdout
