"""`nix run .#diff` as documented: this project's image in a registry, and built from a revision."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.container.images import BUILDING, path_of_the_machine
from tests.registry.conftest import OWN


def diff(tree, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        ["./nixw", "run", ".#diff", "--", *words, "--format", "json", "--tls-verify=false"],
        cwd=tree,
        env={**os.environ, "PATH": path_of_the_machine(), "REGISTRY_AUTH_FILE": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=BUILDING,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_of_an_edit_a_node_pulls_one_layer(first, edited):
    """From an image in the registry to a revision, by the number of bytes that the registry got for it."""
    found = diff(edited.tree, f"docker://{first.reference}", "HEAD", "--platform", f"linux/{OWN}")
    blobs = edited.blobs()
    new = edited.blobs_of(OWN) - first.blobs_of(OWN)
    assert found["pull"] == {"layers": 1, "bytes": sum(len(blobs[digest]) for digest in new)}
    assert (found["packages"], found["variables"], found["exit_codes"]) == ([], [], [])
