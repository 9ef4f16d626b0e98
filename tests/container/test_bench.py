"""The benchmark starts engines of its own beside the machine's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from bench.node import NEEDED, Node
from tests.container.needs import need, unavailable


def devices() -> set[str]:
    return {each.name for each in Path("/sys/class/net").iterdir()}


def test_the_machines_engine_keeps_its_bridge():
    for program, package in NEEDED.items():
        need(program, package)
    if os.geteuid() != 0:
        unavailable("only root can start a second Docker engine")
    if "docker0" not in devices():
        pytest.skip("this machine's engine has no docker0 to lose; CI's has")
    with tempfile.TemporaryDirectory(prefix="node-") as folder, Node(Path(folder, "node")) as node:
        assert {"docker0", node.bridge} <= devices()
        assert node.docker("network", "ls", "--format", "{{.Name}}").split() == ["bridge", "host", "none"]
    assert "docker0" in devices()
    assert node.bridge not in devices()
