"""`nix run .#verify`: that it agrees with what was built, and with nothing else. docs/verify.md lists its exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.engine import ROOT
from tests.proof.small import MEDIA_TYPE, REVISION, Layout, Source, commit
from tests.registry.conftest import NAME
from tests.running import until

VERIFY = ROOT / "nix/proof/verify.py"
PROGRAM = [sys.executable, str(VERIFY), "skopeo", "/nonexistent"]
MODULES = {**os.environ, "PYTHONPATH": str(ROOT / "nix/registry"), "REGISTRY_AUTH_FILE": "/nonexistent"}
PATIENCE = 120

BASE = {"nix/store/" + 32 * "a" + "-base-1.0/data": b"base"}
APPLICATION = {"app/views.py": b"print(1)\n", "app/urls.py": b""}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Source:
    """The source of a small image, which it builds."""
    source = Source(tmp_path_factory.mktemp("source"))
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION))
    return source


def verify(image: str, source: Source | None, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The program, with skopeo from the development shell."""
    where = ["--source", str(source.tree)] if source else []
    layouts = {"LAYOUTS": str(source.layouts)} if source else {}
    return subprocess.run(
        [*PROGRAM, image, "--tls-verify=false", *where, *options],
        env={**MODULES, **layouts, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def upload(layout: Layout, other_registry, name: str, *options: str) -> str:
    """Push a layout; where it is, by digest."""
    destination = f"docker://{other_registry.host}/{name}"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--dest-tls-verify=false"]
    copy += ["--dest-authfile", "/nonexistent", "--digestfile", f"{layout.path}.digest", *options]
    subprocess.run([*copy, f"oci:{layout.path}", f"{destination}:1"], check=True, capture_output=True)
    return f"{destination}@{Path(f'{layout.path}.digest').read_text().strip()}"


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence with which it ended, and that it says nothing that could be taken for agreement."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *_, sentence = done.stderr.splitlines()
    assert sentence.startswith("verify: ")
    return sentence


def test_what_the_revision_builds(other_registry, source):
    image = upload(source.builds(), other_registry, "verify/same")
    done = verify(image, source)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout == f"{image.removeprefix('docker://')} is what {source.revision} builds, bit for bit.\n"
    )


def test_a_tag_is_reported_by_its_digest(other_registry, source):
    image = upload(source.builds(), other_registry, "verify/tag")
    done = verify(image.partition("@")[0] + ":1", source)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(image.removeprefix("docker://"))


def test_packed_otherwise_it_is_the_same_image(other_registry, source, tmp_path):
    """As another tool would push it: by other means, the same files."""
    layout = Layout(tmp_path / "other", labels={REVISION: source.revision})
    layout.holds(layout.image(BASE, APPLICATION, level=1))
    image = upload(layout, other_registry, "verify/packed", "--format", "v2s2")
    done = verify(image, source)
    assert done.returncode == 0, done.stderr
    assert "packed otherwise" in done.stdout


@pytest.mark.parametrize(
    ("os_release", "packages"),
    [
        ({"etc/os-release": b'NAME="a"\nID=debian\n'}, "debian"),
        ({"etc/os-release": b"ID=linux\n"}, "nixpkgs"),
        ({}, ""),
    ],
)
def test_the_package_set_is_the_images(other_registry, tmp_path, os_release, packages):
    """What nixw is told, for it and for what lies beside it; an image that does not say it leaves that to nixw."""
    source = Source(tmp_path, demand='echo "${2##*.} $NIXW_PACKAGES" >> "$LAYOUTS/told"\n')
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION | os_release))
    image = upload(layout, other_registry, "verify/packages")
    for asked, told in (("", packages), ("nixpkgs", "nixpkgs")):
        assert verify(image, source, NIXW_PACKAGES=asked).returncode == 0
        lines = [f"{output} {told}\n" for output in ("oci", "referrers")]
        assert (source.layouts / "told").read_text() == "".join(lines)
        (source.layouts / "told").unlink()


def test_one_byte_of_a_file(other_registry, source, tmp_path):
    """Whoever changes a layer can make its digests fit: all but the one that the source has."""
    layout = Layout(tmp_path / "changed", labels={REVISION: source.revision})
    layout.holds(layout.image(BASE, APPLICATION | {"app/views.py": b"print(2)\n"}))
    sentence = refused(verify(upload(layout, other_registry, "verify/changed"), source), 6)
    assert (
        f"is not what {source.revision} builds: layer 2 of 2 differs, in app/views.py: its content."
        in sentence
    )


def test_one_byte_of_a_layer_in_the_registry(own_registry, source):
    """Bytes that no longer fit their digest."""
    with own_registry.running() as running:
        image = upload(source.builds(), running, NAME)
        (layer, *_) = sorted(running.blobs().items(), key=lambda blob: blob[1][:2] != b"\x1f\x8b")
        number = layer[0].removeprefix("sha256:")
        file = running.folder / f"storage/docker/registry/v2/blobs/sha256/{number[:2]}/{number}/data"
        content = bytearray(layer[1])
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        assert "damaged or tampered with" in refused(verify(image, source), 6)


def test_another_package(other_registry, source, tmp_path):
    """A store path of other inputs, and one that only refers to it: the first is what differs."""
    old, new = (
        "nix/store/" + 32 * letter + f"-libpq-17.{minor}/lib/libpq.so" for letter, minor in ("b5", "c6")
    )
    needs = "nix/store/" + 32 * "{}" + "-app-1.0/lib"
    built = Source(tmp_path / "source")
    layout = built.builds()
    layout.holds(layout.image(BASE | {old: b"", needs.format(*(32 * "d")): old.encode()}, APPLICATION))
    theirs = Layout(tmp_path / "theirs", labels={REVISION: built.revision})
    theirs.holds(theirs.image(BASE | {new: b"", needs.format(*(32 * "f")): new.encode()}, APPLICATION))
    sentence = refused(verify(upload(theirs, other_registry, "verify/package"), built), 6)
    assert f"layer 1 of 2 differs, which has /{new.removesuffix('/lib/libpq.so')} " in sentence
    assert f"instead of /{old.removesuffix('/lib/libpq.so')}" in sentence


def test_configuration(other_registry, source, tmp_path):
    layout = Layout(tmp_path / "labelled", labels={REVISION: source.revision, "more": "hunter2"})
    layout.holds(layout.image(BASE, APPLICATION))
    sentence = refused(verify(upload(layout, other_registry, "verify/config"), source), 6)
    assert "its configuration differs, in config.Labels" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("revision", ["dirty", 40 * "a" + "-dirty"])
def test_tree_with_changes(other_registry, source, tmp_path, revision):
    layout = Layout(tmp_path / "dirty", labels={REVISION: revision})
    layout.holds(layout.image(BASE))
    sentence = refused(verify(upload(layout, other_registry, "verify/dirty"), source), 7)
    assert "from a tree with changes that are in no commit" in sentence


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({}, "does not say which revision it is"),
        ({REVISION: "main"}, "is no commit of git: 'main'"),
        ({REVISION: "--upload-pack=touch /tmp/x"}, "is no commit of git"),
        ({REVISION: 40 * "a"}, f"has no commit {40 * 'a'}: say with --source"),
    ],
)
def test_nothing_to_build(other_registry, source, tmp_path, labels, sentence):
    layout = Layout(tmp_path / "other", labels=labels)
    layout.holds(layout.image(BASE))
    assert sentence in refused(verify(upload(layout, other_registry, "verify/nothing"), source), 7)


def test_source_that_is_none(other_registry, source, tmp_path):
    image = upload(source.builds(), other_registry, "verify/source")
    sentence = refused(verify(image, None, "--source", f"file://ann:hunter2@/{tmp_path}/none"), 7)
    assert "cannot be cloned" in sentence
    assert "hunter2" not in sentence


def test_build_that_fails(other_registry, source, tmp_path):
    image = upload(source.builds(), other_registry, "verify/fails")
    assert "it cannot be built: nothing is built of it" in refused(
        verify(image, source, LAYOUTS=str(tmp_path)), 7
    )


def test_input_that_the_mirror_has_dropped(other_registry, tmp_path):
    """nixw would go on with newer packages, of which another image is made."""
    source = Source(tmp_path)
    lines = (
        "#!/bin/sh",
        "echo 'seed: The mirror no longer has pool/main/d/dash_1.deb: Debian replaces packages.' >&2",
        "echo 'nixw: THE LOCK IS OUT OF DATE: building with newer packages.' >&2",
        "sleep 600",
    )
    (source.tree / "nixw").write_text("\n".join(lines))
    commit(source.tree)
    layout = source.builds()
    layout.holds(layout.image(BASE))
    sentence = refused(verify(upload(layout, other_registry, "verify/gone"), source), 7)
    assert "an input can no longer be had: The mirror no longer has pool/main/d/dash_1.deb" in sentence


def two(layout: Layout, arm: dict[str, bytes]) -> None:
    """An index of both architectures in a layout."""
    first = layout.image(BASE, APPLICATION)
    layout.architecture = "arm64"
    layout.holds(layout.index(first, layout.image(BASE, arm)))


def test_two_architectures(other_registry, tmp_path):
    source = Source(tmp_path)
    layout = source.builds()
    two(layout, APPLICATION)
    done = verify(upload(layout, other_registry, "verify/two"), source)
    assert done.returncode == 0, done.stderr


def test_two_architectures_of_which_one_differs(other_registry, tmp_path):
    source = Source(tmp_path / "source")
    two(source.builds(), APPLICATION)
    theirs = Layout(tmp_path / "theirs", labels={REVISION: source.revision})
    two(theirs, APPLICATION | {"app/urls.py": b"#"})
    image = upload(theirs, other_registry, "verify/one-of-two")
    assert "the image for linux/arm64 is not what" in refused(verify(image, source), 6)
    assert verify(image, source, "--platform", "linux/amd64").returncode == 0


def test_no_such_image(other_registry, source):
    for image in (
        f"{other_registry.host}/verify/none:1",
        f"{other_registry.host}/verify/none@sha256:{64 * '0'}",
    ):
        assert f"there is no {image}" in refused(verify(f"docker://{image}", source), 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(other_registry, tmp_path, number):
    """What it has started ends with it, and nothing of it is left behind."""
    source = Source(tmp_path / "source", demand='sleep 600 & echo $! > "$LAYOUTS/pid"; wait\n')
    layout = source.builds()
    layout.holds(layout.image(BASE))
    image = upload(layout, other_registry, "verify/interrupted")
    pid, scratch = source.layouts / "pid", tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [*PROGRAM, image, "--tls-verify=false", "--source", str(source.tree)],
        env={**MODULES, "LAYOUTS": str(source.layouts), "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        until(lambda: pid.exists() and pid.read_text().endswith("\n"), "the build", PATIENCE)
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in told) == (130, False)
    assert list(scratch.iterdir()) == []
    until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), "the build's end", PATIENCE)


@pytest.mark.parametrize(
    "config", [b"[" * 200_000, b"[]", b'{"os": "linux"}'], ids=["deep", "list", "object"]
)
def test_a_configuration_that_is_none(other_registry, source, tmp_path, config):
    layout = Layout(tmp_path / "none")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA_TYPE}.manifest.v1+json",
        "config": layout.blob(config, "config.v1+json"),
        "layers": [],
    }
    layout.holds(layout.blob(json.dumps(manifest).encode(), "manifest.v1+json"))
    done = verify(upload(layout, other_registry, "verify/none", "--preserve-digests"), source)
    refused(done, 5)


def test_an_architecture_that_steers_a_terminal(other_registry, source, tmp_path):
    layout = Layout(tmp_path / "steers", "amd64\x1b[2J", labels={REVISION: source.revision})
    layout.holds(layout.image(BASE))
    done = verify(upload(layout, other_registry, "verify/steers"), source)
    assert "\x1b" not in refused(done, 7)


def test_nobody_listens(source):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        sentence = refused(verify(f"docker://{host}/{NAME}:1", source), 3)
    assert "cannot be reached" in sentence
