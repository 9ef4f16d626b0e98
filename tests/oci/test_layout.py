"""The OCI image layout: what the specification demands of it, and that it is the image. Sections are image-spec's."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

OCI = Path(__file__).parents[2] / "nix/image/oci.py"


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_index_names_one_image_by_its_tag(layout):
    """ "OCI Image Layout": oci-layout and index.json."""
    assert json.loads((layout.path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert layout.descriptor["annotations"] == {"org.opencontainers.image.ref.name": "latest"}
    assert layout.descriptor["platform"]["os"] == "linux"


def test_blobs_are_what_their_names_say_and_what_the_manifest_names(layout):
    """ "OCI Content Descriptors": digest and size of each, and nothing besides."""
    named = [layout.descriptor, layout.manifest["config"], *layout.manifest["layers"]]
    for descriptor in named:
        content = layout.blob(descriptor["digest"])
        assert (sha256(content), len(content)) == (descriptor["digest"], descriptor["size"])
    stored = {f"sha256:{file.name}" for file in (layout.path / "blobs/sha256").iterdir()}
    assert stored == {descriptor["digest"] for descriptor in named}


def test_media_types(layout):
    """ "OCI Image Media Types"."""
    types = [descriptor["mediaType"].partition("image.")[2] for descriptor in layout.manifest["layers"]]
    assert set(types) == {"layer.v1.tar+gzip"}
    assert layout.manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert layout.manifest["mediaType"] == layout.descriptor["mediaType"]


def test_configuration_is_the_images_byte_for_byte(layout, config):
    """A converted one would be another image to Docker, and have no health check."""
    assert layout.blob(layout.manifest["config"]["digest"]) == config
    assert "Healthcheck" in json.loads(config)["config"]


def test_layers_are_the_images(layout, config):
    digests = [sha256(gzip.decompress(layout.blob(layer["digest"]))) for layer in layout.manifest["layers"]]
    assert digests == json.loads(config)["rootfs"]["diff_ids"]


def test_compressed_layers_know_no_clock(layout):
    """RFC 1952, 2.3: bytes 4 to 7 are the time of the compression, 0 for none."""
    for layer in layout.manifest["layers"]:
        assert layout.blob(layer["digest"])[4:8] == bytes(4)


def test_skopeo_reads_it(layout, tmp_path):
    command = ["skopeo", "--insecure-policy", "inspect", f"oci:{layout.path}:latest"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    inspected = json.loads(done.stdout)
    assert inspected["Digest"] == layout.descriptor["digest"]
    assert inspected["Layers"] == [layer["digest"] for layer in layout.manifest["layers"]]


def archive(layers: list[bytes], diff_ids: list[str], architecture: str = "arm64") -> bytes:
    """A small image as `docker save` writes it."""
    config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "Layers": names, "RepoTags": ["example/small:1.0"]}]
    files = dict(zip(names, layers, strict=True)) | {
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def convert(image: bytes, out: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, OCI, out], input=image, capture_output=True)


@pytest.mark.parametrize(
    "layers", [[b"one"], [b"one", b"two"], [b"one", b"two", b"one"], [bytes(3 << 20), b""]]
)
def test_any_image(layers, tmp_path):
    """Also with equal layers, with empty ones, and with such that are read in several parts."""
    image = archive(layers, [sha256(layer) for layer in layers])
    done = convert(image, tmp_path / "out")
    assert done.returncode == 0, done.stderr.decode()
    index = json.loads((tmp_path / "out/index.json").read_text())
    (descriptor,) = index["manifests"]
    assert descriptor["platform"] == {"architecture": "arm64", "os": "linux"}
    assert descriptor["annotations"]["org.opencontainers.image.ref.name"] == "1.0"
    blobs = tmp_path / "out/blobs"
    manifest = json.loads((blobs / descriptor["digest"].replace(":", "/")).read_bytes())
    contents = [(blobs / layer["digest"].replace(":", "/")).read_bytes() for layer in manifest["layers"]]
    assert [gzip.decompress(content) for content in contents] == layers


def test_an_image_that_is_not_what_it_says_is_refused(tmp_path):
    done = convert(archive([b"one"], [sha256(b"two")]), tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == b"oci: the image's layers are not those that its configuration names.\n"
