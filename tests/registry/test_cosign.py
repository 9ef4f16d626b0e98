"""What was pushed, as cosign and oras see it; and what cosign has signed, as `verify` does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.proof.small import Source, git
from tests.registry.conftest import PLAIN, built, push
from tests.registry.test_sign import PASSPHRASE, generate, public
from tests.registry.test_verify import APPLICATION, BASE, two, upload, verify
from tests.registry.tools import tool


def cosign(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Offline, and without a log of signatures."""
    environment = {**os.environ, "COSIGN_PASSWORD": PASSPHRASE, "DOCKER_CONFIG": "/nonexistent"}
    command = [tool("cosign"), *words]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120)


OFFLINE = ("--insecure-ignore-tlog=true", "--allow-http-registry")


def accepts(key: str, reference: str) -> bool:
    """Whether cosign finds a signature by the public key in a file."""
    return cosign("verify", "--key", key, *OFFLINE, reference).returncode == 0


def attested(key: str, reference: str, kind: str) -> dict | None:
    """The statement of that kind that cosign accepts by the public key in a file, if there is one."""
    done = cosign("verify-attestation", "--key", key, "--type", kind, *OFFLINE, reference)
    if done.returncode != 0:
        return None
    (envelope,) = map(json.loads, done.stdout.splitlines())
    return json.loads(base64.b64decode(envelope["payload"]))


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("keys") / "cosign")


@pytest.fixture(scope="module")
def signed(other_registry, edited, key) -> str:
    """This project's images, pushed and signed as documented; where the index is."""
    environment = {"COSIGN_PASSWORD": PASSPHRASE}
    destination = f"docker://{other_registry.host}/cosign/this:1"
    done = push(destination, PLAIN, "--sign", str(key), tree=edited.tree, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def beside(reference: str) -> list[dict]:
    """What oras finds beside an image."""
    words = ["discover", "--plain-http", "--format", "json", reference]
    done = subprocess.run([tool("oras"), *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["manifests"]


def test_cosign_accepts_index_images_and_artifacts(edited, key, signed, tmp_path):
    repository = signed.partition("@")[0]
    digests = [edited.digest, *edited.images.values()]
    for image in edited.images.values():
        found = beside(f"{repository}@{image}")
        assert {each["artifactType"] for each in found} == {
            "application/vnd.cyclonedx+json",
            "application/vnd.in-toto+json",
        }
        digests += [each["digest"] for each in found]
    assert len(digests) == 7
    assert [each for each in digests if not accepts(public(key), f"{repository}@{each}")] == []
    other = public(generate(tmp_path / "other"))
    assert [each for each in digests if accepts(other, f"{repository}@{each}")] == []


def test_cosign_accepts_what_is_attested_of_each_image(edited, key, signed):
    """Provenance and bill of materials are those that are built."""
    for architecture, digest in edited.images.items():
        built_of = built(f"image-{architecture}.sbom", edited.tree)
        reference = f"{signed.partition('@')[0]}@{digest}"
        materials = attested(public(key), reference, "cyclonedx")
        assert materials
        assert materials["predicate"] == json.loads(built_of.read_bytes())
        provenance = attested(public(key), reference, "slsaprovenance1")
        assert provenance
        definition = provenance["predicate"]["buildDefinition"]
        assert definition["externalParameters"]["revision"] == git(edited.tree, "rev-parse", "HEAD").strip()


def test_what_cosign_has_signed(other_registry, tmp_path):
    """With its own keys; of an index it signs what is below, too, if it is told so."""
    made = cosign("generate-key-pair", "--output-key-prefix", "theirs", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    source = Source(tmp_path / "source")
    two(source.builds(), APPLICATION | BASE)
    image = upload(source.builds(), other_registry, "cosign/theirs")
    words = ("sign", "--yes", "--recursive", "--tlog-upload=false", "--allow-http-registry")
    done = cosign(*words, "--key", tmp_path / "theirs.key", image.removeprefix("docker://"))
    assert done.returncode == 0, done.stderr
    found = verify(image, source, "--key", str(tmp_path / "theirs.pub"))
    assert found.returncode == 0, found.stderr
