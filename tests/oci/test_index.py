"""An index of images for two architectures: what the specification demands of it, and that it is pushed as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oci.test_layout import OCI, archive, convert, sha256

INDEX = OCI.with_name("oci_index.py")
SHARED, OWN = b"the same for both", {"amd64": b"x86_64 code", "arm64": b"aarch64 code"}


@pytest.fixture
def layouts(tmp_path) -> dict[str, Path]:
    """The layouts of two small images that share a layer, by architecture."""
    made = {}
    for architecture, own in OWN.items():
        layers = [SHARED, own]
        made[architecture] = tmp_path / architecture
        image = archive(layers, [sha256(layer) for layer in layers], architecture)
        assert convert(image, made[architecture]).returncode == 0
    return made


def join(out: Path, *layouts: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(INDEX.parent)}
    command = [sys.executable, INDEX, out, *layouts]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture
def index(layouts, tmp_path) -> Path:
    done = join(tmp_path / "index", *layouts.values())
    assert done.returncode == 0, done.stderr
    return tmp_path / "index"


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def descriptor(layout: Path) -> dict:
    (found,) = json.loads((layout / "index.json").read_text())["manifests"]
    return found


def test_each_image_is_named_by_its_platform_and_as_it_was(index, layouts):
    """image-spec, "Image Index": the descriptors, each with a platform."""
    document = json.loads(blob(index, descriptor(index)["digest"]))
    assert (
        document["mediaType"] == descriptor(index)["mediaType"] == "application/vnd.oci.image.index.v1+json"
    )
    assert [each["platform"] for each in document["manifests"]] == [
        {"architecture": architecture, "os": "linux"} for architecture in OWN
    ]
    for each, layout in zip(document["manifests"], layouts.values(), strict=True):
        before = descriptor(layout)
        assert {key: before[key] for key in ("mediaType", "digest", "size")} == {
            key: each[key] for key in ("mediaType", "digest", "size")
        }


def test_blobs_are_what_their_names_say_and_shared_ones_are_there_once(index, layouts):
    blobs = list((index / "blobs/sha256").iterdir())
    assert all(sha256(file.read_bytes()) == f"sha256:{file.name}" for file in blobs)
    # A layer that both have, and of each its own, its configuration and its manifest; and the index.
    assert len(blobs) == 1 + 2 * 3 + 1
    assert descriptor(index)["size"] == len(blob(index, descriptor(index)["digest"]))


def test_it_is_the_same_in_whichever_order(index, layouts, tmp_path):
    again = tmp_path / "again"
    assert join(again, *reversed(layouts.values())).returncode == 0
    assert (again / "index.json").read_bytes() == (index / "index.json").read_bytes()


@pytest.mark.parametrize("architecture", OWN)
def test_skopeo_chooses_by_the_platform(index, layouts, architecture):
    command = ["skopeo", "--insecure-policy", f"--override-arch={architecture}", "inspect", "--config"]
    done = subprocess.run([*command, f"oci:{index}:1.0"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["architecture"] == architecture


def test_it_is_copied_byte_for_byte(index, tmp_path):
    """As `push` copies it: all images, and the index with the digest that it has here."""
    target = tmp_path / "copy"
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", f"oci:{index}", f"dir:{target}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sha256((target / "manifest.json").read_bytes()) == descriptor(index)["digest"]


def test_two_images_for_one_architecture_are_refused(layouts, tmp_path):
    done = join(tmp_path / "index", layouts["arm64"], layouts["arm64"])
    assert done.returncode == 1
    assert done.stderr == "oci-index: an index has one image for each architecture, not arm64, arm64.\n"
