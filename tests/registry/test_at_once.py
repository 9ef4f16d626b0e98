"""Two pushes of one image at once, with different keys and bills of materials: what each puts beside it is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.small import Layout
from tests.registry.conftest import MODULES
from tests.registry.test_attached import listed, make_referrers
from tests.registry.test_attest import (
    ENVELOPE,
    SIGNED,
    beside,
    in_file,
    other,
    push_command,
    referrers,
    source,
)
from tests.registry.test_verify import verify

__all__ = ["in_file", "other", "source"]

# skopeo, but of the first two writers of a list of the image's, the second has read it before the first writes it, and writes
# it after that, while the first is not done.
SKOPEO = """#!/bin/sh
skopeo={skopeo}
until_there() {{
  n=0
  until [ -e "$1" ] || [ $n -ge 600 ]; do sleep 0.1; n=$((n + 1)); done
}}
case "$*" in *" dir:"*" docker://"*:sha256-"$IMAGE"*) ;; *) exec "$skopeo" "$@" ;; esac
for target; do :; done
list=$TURNS/${{target##*:}}
[ ! -e "$list.$TURN" ] || exec "$skopeo" "$@"
touch "$list.$TURN"
case $TURN in
first) until_there "$list.second" ;;
second) until_there "$list.first.done" ;;
esac
"$skopeo" "$@"
code=$?
touch "$list.$TURN.done"
[ "$TURN" = second ] || until_there "$list.second.done"
exit $code
"""


@pytest.fixture
def turns(tmp_path) -> Path:
    """A folder with such a skopeo, and notes of who has come how far."""
    program = tmp_path / "turns/skopeo"
    program.parent.mkdir()
    program.write_text(SKOPEO.format(skopeo=shutil.which("skopeo")))
    program.chmod(0o755)
    return program.parent


def test_nothing_is_lost(other_registry, source, in_file, other, turns, tmp_path):
    theirs = Layout(tmp_path / "theirs")
    shutil.copytree(source.builds().path, theirs.path)
    make_referrers(theirs.path, b'{"components": []}', referrers(theirs))
    (image,) = json.loads((theirs.path / "index.json").read_text())["manifests"]
    pushes = []
    for turn, layout, key in (("first", source.builds(), in_file), ("second", theirs, other)):
        command = push_command(layout, f"{other_registry.host}/at/once:1")
        path = f"{turns}:{os.environ['PATH']}"
        env = {
            **MODULES,
            **key.env,
            "PATH": path,
            "TURNS": str(turns),
            "TURN": turn,
            "IMAGE": image["digest"][7:],
        }
        pushes.append(
            subprocess.Popen(
                [sys.executable, *command, "--sign", key.name],
                env={**env, "REGISTRY_AUTH_FILE": "/nonexistent"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for process in pushes:
        said, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    # Both have written each list: of artifacts, and of signatures and attestations.
    written = {file.name.partition(".")[2] for file in turns.glob("*.second.done")}
    assert {"second.done", f"{SIGNED}.second.done", f"{ENVELOPE}.second.done"} == written
    reference = said.strip()
    assert len(listed(other_registry, "at/once", reference.partition("@")[2])) == 4
    blobs, tags = other_registry.blobs(), other_registry.tags("at/once")
    counts = [
        len(json.loads(blobs[tags[beside(reference, kind).rpartition(":")[2]]])["layers"])
        for kind in (SIGNED, ENVELOPE)
    ]
    assert counts == [2, 4]
    done = verify(f"docker://{reference}", source, "--key", in_file.public)
    assert done.returncode == 0, done.stderr
