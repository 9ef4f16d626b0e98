"""What the tests of both kinds of clusters share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def need(packages: dict[str, str]) -> None:
    """Skip on a developer's machine what lacks a program; where CI runs, everything must be there.

    `packages` names for each program, by its name or its path, the Debian package that has it.
    """
    missing = [
        package
        for program, package in packages.items()
        if not (shutil.which(program) or Path(program).exists())
    ]
    problem = f"not installed: apt-get install {' '.join(missing)}" if missing else ""
    if not problem and os.geteuid() != 0:
        problem = "only root may start container engines"
    if not problem:
        return
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(problem)
    pytest.skip(problem)
