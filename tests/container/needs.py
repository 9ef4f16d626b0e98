"""What the machine must have for tests that drive an engine."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def unavailable(reason: str) -> None:
    """Skip on a developer's machine; where CI runs, everything must be there."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


def need(program: str, package: str) -> None:
    """Without this program, the test is unavailable."""
    if not shutil.which(program):
        unavailable(f"{program} is not installed: apt-get install {package}")


def need_engine() -> None:
    """Without a Docker engine that answers, the test is unavailable."""
    need("docker", "docker.io")
    if subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        unavailable("no Docker engine answers: start it (dockerd, as root)")
