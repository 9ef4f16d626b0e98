"""`verify` and `diff` where their folder is too small: exit code 1 and one sentence, however far they have come."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.engine import ROOT
from tests.container.needs import unavailable
from tests.proof.small import Layout, Source, commit
from tests.registry.test_attached import attach, make_referrers
from tests.registry.test_verify import APPLICATION, BASE, MODULES, PATIENCE, PROGRAM, refused, upload, verify

# Bytes of what there is to write at each step, and how much more room there is each time: no step is skipped.
LARGE, STEP = 200_000, 96 << 10
DIFF = [sys.executable, ROOT / "nix/proof/diff.py", "skopeo", "/nonexistent", ROOT / "nix/image/oci.py"]


@pytest.fixture(scope="module")
def image(other_registry, tmp_path_factory) -> tuple[str, Source]:
    """A large file in an image, in its source, and beside it."""
    source = Source(tmp_path_factory.mktemp("large"))
    (source.tree / "large").write_bytes(LARGE * b"x")  # git leaves out zeros
    commit(source.tree)
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION | {"app/large": bytes(LARGE)}))
    beside = Path(f"{layout.path}-referrers")
    make_referrers(layout.path, json.dumps({"components": [], "comment": LARGE * " "}).encode(), beside)
    reference = upload(layout, other_registry, "full/disk")
    assert attach(beside, other_registry, "full/disk") == ""
    return reference, source


def in_room(
    size: int, folder: Path, command: list[str | Path], **env: str
) -> subprocess.CompletedProcess[str]:
    """A program whose temporary files have so many bytes of room, in a filesystem that ends with it."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    mount = ("unshare", *user, "--mount", "sh", "-c")
    script = f'mount -t tmpfs -o size={size} tmpfs "$TMPDIR" && exec "$@"'
    return subprocess.run(
        [*mount, script, "sh", *command],
        env={**MODULES, **env, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture(autouse=True)
def mounts(tmp_path) -> None:
    if in_room(STEP, tmp_path, ["true"]).returncode != 0:
        unavailable("there is no unshare that lets this user mount a tmpfs")


def sentences(folder: Path, command: list[str | Path], name: str, **env: str) -> list[str]:
    """What a program says in ever more room, until that is enough."""
    said = []
    for size in range(STEP, 20 * LARGE, STEP):
        done = in_room(size, folder, command, **env)
        if done.returncode == 0:
            return said
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        *_, sentence = done.stderr.splitlines()
        assert sentence.startswith(f"{name}: ")
        assert "Traceback" not in done.stderr
        said.append(sentence)
    raise AssertionError(said)


def test_verify(image, tmp_path):
    reference, source = image
    command = [*PROGRAM, reference, "--tls-verify=false", "--source", str(source.tree)]
    said = sentences(tmp_path, command, "verify", LAYOUTS=str(source.layouts))
    # Of the source, of the image, and of what lies beside it.
    for step in ("/source", "/theirs-", "/beside-"):
        assert [sentence for sentence in said if step in sentence], said
    assert all("disk" in each or "No space left on device" in each for each in said)


def test_the_disk_of_the_nix_store(other_registry, tmp_path):
    """As Nix says it when it cannot write there; and a builder, at the end of its log; and nixw."""
    for words in (
        "seed: /nix/store/x: No space left on device.",
        "error: writing to file: No space left on device",
        "error: builder for '/nix/store/x.drv' failed with exit code 1;\n       > cp: No space left on device",
    ):
        source = Source(tmp_path / str(len(words)), demand=f'echo "{words}" >&2; exit 1\n')
        layout = source.builds()
        layout.holds(layout.image(BASE))
        sentence = refused(verify(upload(layout, other_registry, "full/store"), source), 1)
        assert "a disk is full: " in sentence


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_diff_of_archives(tmp_path, kind):
    layout = Layout(tmp_path / "layout")
    layout.holds(layout.image({"large": bytes(LARGE)}))
    archive = tmp_path / "archive"
    copy = ["skopeo", "--insecure-policy", "--tmpdir", tmp_path, "copy", "--quiet", f"oci:{layout.path}"]
    subprocess.run([*copy, f"{kind}:{archive}:small:1"], check=True, capture_output=True)
    (tmp_path / "room").mkdir()
    said = sentences(tmp_path / "room", [*DIFF, archive, archive], "diff")
    assert [sentence for sentence in said if "a disk is full: " in sentence], said
