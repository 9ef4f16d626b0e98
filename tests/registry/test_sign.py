"""`push --sign` and `verify --key`: signatures in cosign's layout, by the right key, by another one, and by none."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from media_types import BUNDLE, INPUTS, MANIFEST
from tests.container.images import path_of_the_machine
from tests.container.needs import need
from tests.proof.small import Layout, Source
from tests.registry.conftest import PLAIN, built
from tests.registry.test_attached import attach
from tests.registry.test_verify import APPLICATION, BASE, refused, two, upload, verify

PASSPHRASE = "for-this-test-only"


def generate(prefix: Path) -> Path:
    """A pair of keys; the private one's file, encrypted, as skopeo and cosign write it."""
    passphrase = prefix.with_suffix(".passphrase")
    passphrase.write_text(PASSPHRASE)
    command = ["skopeo", "generate-sigstore-key", "--output-prefix", prefix, "--passphrase-file", passphrase]
    subprocess.run(command, check=True, capture_output=True)
    return prefix.with_suffix(".private")


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("keys") / "cosign")


@pytest.fixture(scope="module")
def other_key(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("keys") / "other")


@pytest.fixture
def source(tmp_path) -> Source:
    source = Source(tmp_path / "source")
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION))
    return source


def by(key: Path, tmp_path: Path) -> list[str]:
    """skopeo's options to sign, without this project's push."""
    folder = tmp_path / "registries.d"
    folder.mkdir(exist_ok=True)
    (folder / "default.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")
    signed = [
        "--sign-by-sigstore-private-key",
        str(key),
        "--sign-passphrase-file",
        str(key.with_suffix(".passphrase")),
    ]
    return ["--registries.d", str(folder), *signed]


def public(key: Path) -> str:
    return str(key.with_suffix(".pub"))


def test_signed(other_registry, source, key, tmp_path):
    image = upload(source.builds(), other_registry, "sign/one", *by(key, tmp_path))
    done = verify(image, source, "--key", public(key))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"bit for bit, and is signed by {public(key)}.\n")


def test_not_signed(other_registry, source, key):
    image = upload(source.builds(), other_registry, "sign/none")
    assert "is not signed" in refused(verify(image, source, "--key", public(key)), 8)


def test_inputs_that_are_not_signed(other_registry, source, key, tmp_path):
    """Whoever may write beside a signed image has nothing run by who looks for that key."""
    built = source.builds()
    image = upload(built, other_registry, "sign/inputs", *by(key, tmp_path))
    inputs = Layout(tmp_path / "inputs")
    (subject,) = json.loads((built.path / "index.json").read_text())["manifests"]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": INPUTS,
        "config": inputs.blob(b"{}", "config.v1+json"),
        "layers": [inputs.blob(b"a bundle", "layer") | {"mediaType": BUNDLE}],
        "subject": {name: subject[name] for name in ("mediaType", "digest", "size")},
    }
    descriptor = inputs.blob(json.dumps(manifest).encode(), "manifest.v1+json")
    named = {"org.opencontainers.image.ref.name": "inputs"}
    inputs.holds(descriptor | {"artifactType": INPUTS, "annotations": named})
    attach(inputs.path, other_registry, "sign/inputs")
    done = verify(image, None, "--from-registry", "--key", public(key))
    assert "the artifact of its inputs is not signed" in refused(done, 8)


def test_signed_by_another_key(other_registry, source, key, other_key, tmp_path):
    image = upload(source.builds(), other_registry, "sign/other", *by(other_key, tmp_path))
    assert "is signed, but not by that key" in refused(verify(image, source, "--key", public(key)), 9)


def test_signature_of_another_image(other_registry, source, key, tmp_path):
    """Laid beside this one, under its tag."""
    other = Source(tmp_path / "other")
    layout = other.builds()
    layout.holds(layout.image(BASE))
    foreign = upload(layout, other_registry, "sign/foreign", *by(key, tmp_path))
    image = upload(source.builds(), other_registry, "sign/foreign")
    where, theirs = foreign.split("@")
    signature = f"docker://{where.removeprefix('docker://')}:{theirs.replace(':', '-')}.sig"
    copy = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    target = f"{where}:{image.partition('@')[2].replace(':', '-')}.sig"
    subprocess.run([*copy, signature, target], check=True, capture_output=True)
    refused(verify(image, source, "--key", public(key)), 9)


def test_images_of_an_index(other_registry, key, other_key, tmp_path):
    source = Source(tmp_path / "source")
    two(source.builds(), APPLICATION)
    image = upload(source.builds(), other_registry, "sign/two", *by(key, tmp_path))
    assert verify(image, source, "--key", public(key)).returncode == 0
    refused(verify(image, source, "--key", public(other_key)), 9)


def test_index_of_which_one_image_is_not_signed(other_registry, key, tmp_path):
    source = Source(tmp_path / "source")
    two(source.builds(), APPLICATION)
    first = Layout(tmp_path / "first", labels=source.builds().labels)
    first.holds(first.image(BASE, APPLICATION))
    upload(first, other_registry, "sign/less", *by(key, tmp_path))
    image = upload(source.builds(), other_registry, "sign/less")
    assert "is not signed" in refused(verify(image, source, "--key", public(key)), 8)
    assert verify(image, source).returncode == 0


def test_key_that_is_none(other_registry, source, key, tmp_path):
    image = upload(source.builds(), other_registry, "sign/key", *by(key, tmp_path))
    (tmp_path / "empty.pub").touch()
    for file in (tmp_path / "empty.pub", tmp_path / "none.pub", key):
        refused(verify(image, source, "--key", str(file)), 2)


@pytest.fixture(scope="module")
def program(edited) -> Path:
    """This project's `push`, as `nix run` calls it."""
    return built("oci-index.push", edited.tree) / "bin/push"


def pushed(program: Path, destination: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": path_of_the_machine(),
        "HOME": "/nonexistent",
        "REGISTRY_AUTH_FILE": "/nonexistent",
        **env,
    }
    command = [program, destination, PLAIN, *options]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )


def test_push_signs(other_registry, edited, program, key):
    """What was pushed is signed, by this key and for this digest, in cosign's own form."""
    destination = f"docker://{other_registry.host}/sign/pushed:1.0"
    done = pushed(program, destination, "--sign", str(key), COSIGN_PASSWORD=PASSPHRASE)
    assert done.returncode == 0, done.stderr
    assert PASSPHRASE not in done.stdout + done.stderr
    reference = done.stdout.strip()
    digest = reference.partition("@")[2]
    assert digest == edited.digest
    manifest = json.loads(
        other_registry.blobs()[other_registry.tags("sign/pushed")[f"{digest.replace(':', '-')}.sig"]]
    )
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    payload = json.loads(other_registry.blobs()[layer["digest"]])["critical"]
    assert payload["image"] == {"docker-manifest-digest": digest}
    signature = layer["annotations"]["dev.cosignproject.cosign/signature"]
    assert openssl_accepts(key, other_registry.blobs()[layer["digest"]], signature)
    assert not openssl_accepts(key, b"another payload", signature)


def openssl_accepts(key: Path, payload: bytes, signature: str) -> bool:
    """Whether it is an ECDSA signature of the payload's SHA-256: cosign's documented form, without any of its code."""
    need("openssl", "openssl")
    (key.parent / "payload").write_bytes(payload)
    (key.parent / "signature").write_bytes(base64.b64decode(signature))
    command = ["openssl", "dgst", "-sha256", "-verify", public(key), "-signature", key.parent / "signature"]
    return subprocess.run([*command, key.parent / "payload"], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("options", "env", "code"),
    [
        (["--sign"], {}, 2),
        (["--sign", "{key}"], {}, 2),  # nobody to ask for the passphrase
        (["--sign={key}"], {"COSIGN_PASSWORD": "hunter2"}, 5),
        (["--sign", "/nonexistent/cosign.key"], {"COSIGN_PASSWORD": ""}, 5),
        (["--sign", "{public}"], {"COSIGN_PASSWORD": ""}, 5),
    ],
)
def test_key_that_cannot_be_used(own_registry, program, key, options, env, code):
    """Nothing is sent without the signature that was asked for."""
    words = [option.format(key=key, public=public(key)) for option in options]
    with own_registry.running() as running:
        done = pushed(program, f"docker://{running.host}/sign/refused:1.0", *words, **env)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "hunter2" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith("push: ")
        assert running.blobs() == {}
