"""`nix run .#push`: what moves to the registry, and that it is the image that boots."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import subprocess
import tarfile
import tomllib

import pytest

from tests.container.engine import ROOT, docker
from tests.container.images import BUILDING, build, described, load
from tests.container.lab import Images, Lab, Server, start_server
from tests.registry.conftest import AFTER, ALONE, EDITED, NAME, PLAIN, built, push


def test_first_push_moves_each_blob_once(registry, first):
    assert sorted(first.uploads) == sorted(first.configs | first.layers)
    stored = registry.blobs()
    assert {digest: stored.get(digest) for digest in first.blobs()} == first.blobs()


def test_it_says_what_it_pushed(registry, first):
    """The only line on stdout, for whoever deploys by digest."""
    assert first.reference == f"{registry.host}/{NAME}@{first.digest}"


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_one_tag_is_for_both_architectures(registry, first, architecture):
    """Who asks for it gets the image of its own; what the image says of itself is right."""
    skopeo = [
        "skopeo",
        "--insecure-policy",
        f"--override-arch={architecture}",
        "inspect",
        "--tls-verify=false",
    ]
    reference = f"docker://{registry.host}/{NAME}:1.0"
    inspected = [
        json.loads(subprocess.run([*skopeo, *option, reference], capture_output=True, check=True).stdout)
        for option in ([], ["--config"])
    ]
    assert [each["architecture" if "rootfs" in each else "Architecture"] for each in inspected] == [
        architecture
    ] * 2
    manifest = first.document(first.images[architecture])
    assert inspected[0]["Layers"] == [layer["digest"] for layer in manifest["layers"]]


def names(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as content:
        return [name.removeprefix("./") for name in content.getnames()]


def test_images_share_what_is_of_python_alone(first):
    """Django's layer: a registry has it once."""
    amd64, arm64 = ([layer["digest"] for layer in manifest["layers"]] for manifest in first.manifests)
    (shared,) = set(amd64) & set(arm64)
    assert any(name.endswith("/django/__init__.py") for name in names(first.blobs()[shared]))


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_docker_pulls_the_image_of_the_platform(first, engine, architecture):
    docker("pull", "--platform", f"linux/{architecture}", first.reference)
    try:
        shown = docker("image", "inspect", "--format", "{{.Id}} {{.Architecture}}", first.reference)
        config = first.document(first.images[architecture])["config"]["digest"]
        assert shown == f"{config} {architecture}"
    finally:
        docker("image", "rm", first.reference)


def test_push_again_moves_nothing(registry, first):
    uploads, stored = registry.uploads(), registry.blobs()
    done = push(f"docker://{registry.host}/{NAME}:again", PLAIN, ALONE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == first.reference
    assert registry.uploads() == uploads
    assert registry.blobs() == stored


def test_layers_in_zstd_are_the_same_image(own_registry, first, tmp_path):
    """For nodes that read it. What skopeo unpacks of it again are the layers that the configuration names."""
    with own_registry.running():
        name = f"docker://{own_registry.host}/team/zstd:1"
        done = push(name, PLAIN, ALONE, "--dest-compress-format=zstd")
        assert done.returncode == 0, done.stderr
        stored = own_registry.blobs()
        index = json.loads(stored[done.stdout.strip().rpartition("@")[2]])
        manifests = [json.loads(stored[image["digest"]]) for image in index["manifests"]]
        assert {manifest["config"]["digest"] for manifest in manifests} == first.configs
        kinds = {layer["mediaType"] for manifest in manifests for layer in manifest["layers"]}
        assert kinds == {"application/vnd.oci.image.layer.v1.tar+zstd"}
        command = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-decompress"]
        subprocess.run([*command, name, f"dir:{tmp_path}/unpacked"], check=True)
        files = (tmp_path / "unpacked").iterdir()
        unpacked = {f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files}
        (config,) = first.configs & unpacked
        assert set(json.loads(stored[config])["rootfs"]["diff_ids"]) <= unpacked


def test_without_a_tag_it_gets_the_version(registry, first):
    version = tomllib.loads((ROOT / "backend/pyproject.toml").read_text())["project"]["version"]
    done = push(f"docker://{registry.host}/team/untagged", PLAIN, ALONE)
    assert done.returncode == 0, done.stderr
    assert registry.tags("team/untagged") == {version: first.digest}


def test_after_an_edit_only_the_layer_with_it_moves(registry, first, edited):
    # One of each architecture: beside the application lies the bill of materials.
    changed = edited.layers - first.layers
    assert len(changed) == len(edited.images)
    assert len(edited.layers) == len(first.layers)
    assert sorted(edited.uploads) == sorted([*changed, *edited.configs])
    for layer in changed:
        found = names(edited.blobs()[layer])
        assert EDITED.replace("backend/", "app/") in found
        assert not [name for name in found if "nix/store" in name]
    # In bytes: the new manifests and the index too, and nothing else.
    new = {*changed, *edited.configs, *edited.images.values(), edited.digest}
    stored = registry.blobs()
    assert stored.keys() == first.blobs().keys() | new
    assert {digest: stored[digest] for digest in new} == {digest: edited.blobs()[digest] for digest in new}


def test_layout_is_reproducible(first):
    """Built again it is the same, bit for bit; Nix compares."""
    done = subprocess.run(["nix-store", "--query", "--deriver", first.layout], capture_output=True, text=True)
    command = ["./nixw", "build", done.stdout.strip(), "--rebuild", "--no-link"]
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILDING)
    assert again.returncode == 0, again.stderr


@pytest.fixture
def pulled(edited, engine):
    """The edited image in the Docker engine, pulled by its digest."""
    docker("pull", edited.reference)
    yield edited.reference
    docker("image", "rm", edited.reference)


def test_pulled_image_is_the_built_one_and_boots(edited, pulled):
    number, _ = described(built("image", edited.tree))
    assert docker("image", "inspect", "--format", "{{.Id}}", pulled) == number
    assert docker("image", "inspect", "--format", "{{.Config.Healthcheck.Test}}", pulled) != "[]"
    password = secrets.token_urlsafe(24)
    images = Images(backend=pulled, postgres=load(build("postgres-image")))
    postgres = start_server(images, "--env", f"POSTGRES_PASSWORD={password}")
    server = Server(postgres, password).until_ready()
    lab = Lab(images)
    try:
        lab.invite(postgres, "db")
        backend = lab.backend(**server.database().environment).start().until_answers(200)
        assert backend.get("/api/health/").headers["Cache-Control"] == AFTER.strip('"')
    finally:
        lab.close(False, "")
