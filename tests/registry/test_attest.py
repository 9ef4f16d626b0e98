"""What `push --sign` says of an image, by a key in a file or in a token, as cosign and `verify` see it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.engine import ROOT
from tests.container.needs import need
from tests.proof.small import Layout, Source
from tests.registry.conftest import MODULES, PLAIN
from tests.registry.test_attached import make_referrers
from tests.registry.test_cosign import accepts, attested
from tests.registry.test_sign import PASSPHRASE, generate, public
from tests.registry.test_verify import APPLICATION, BASE, refused, two, upload, verify

PIN = "271828"
MATERIALS, PROVENANCE = "cyclonedx", "slsaprovenance1"
SIGNED, ENVELOPE = "sig", "att"


def referrers(layout: Layout) -> Path:
    return Path(f"{layout.path}-referrers")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Source:
    """The source of a small image, and of what belongs beside it."""
    source = Source(tmp_path_factory.mktemp("small") / "source")
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION))
    make_referrers(layout.path, b'{"components": [{"name": "base"}]}', referrers(layout))
    return source


@dataclass(frozen=True)
class Key:
    """What `--sign` takes, and the variables that it needs; and the file of the public key."""

    name: str
    public: str
    env: dict[str, str]


@pytest.fixture(scope="module")
def in_file(tmp_path_factory) -> Key:
    file = generate(tmp_path_factory.mktemp("keys") / "cosign")
    return Key(str(file), public(file), {"COSIGN_PASSWORD": PASSPHRASE})


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Key:
    file = generate(tmp_path_factory.mktemp("keys") / "other")
    return Key(str(file), public(file), {"COSIGN_PASSWORD": PASSPHRASE})


@pytest.fixture(scope="module")
def in_token(tmp_path_factory) -> Key:
    """The second of two keys in a token of SoftHSM's."""
    need("softhsm2-util", "softhsm2")
    need("pkcs11-tool", "opensc")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    module = next(Path("/usr/lib").glob("**/softhsm/libsofthsm2.so"))
    env = {"SOFTHSM2_CONF": str(folder / "conf")}

    def run(*words: str | Path) -> bytes:
        done = subprocess.run(words, env=os.environ | env, capture_output=True, check=True, timeout=60)
        return done.stdout

    run("softhsm2-util", "--init-token", "--free", "--label", "The team's", "--pin", PIN, "--so-pin", PIN)
    tool = ("pkcs11-tool", "--module", module, "--token-label", "The team's")
    for number in ("01", "a2"):
        run(*tool, "--login", "--pin", PIN, "--keypairgen", "--key-type", "EC:prime256v1", "--id", number)
    der = base64.encodebytes(run(*tool, "--read-object", "--type", "pubkey", "--id", "a2")).decode()
    file = folder / "token.pub"
    file.write_text(f"-----BEGIN PUBLIC KEY-----\n{der}-----END PUBLIC KEY-----\n")
    uri = f"pkcs11:token=The%20team's;id=%a2;type=private?module-path={module}"
    return Key(uri, str(file), {**env, "COSIGN_PKCS11_PIN": PIN})


@pytest.fixture(params=["in_file", "in_token"])
def key(request) -> Key:
    return request.getfixturevalue(request.param)


def push_command(layout: Layout, destination: str) -> list[str | Path]:
    """The program's, for a small image."""
    program = [ROOT / "nix/image/push/push.py", "skopeo", layout.path, referrers(layout), "", "1.0"]
    return [*program, f"docker://{destination}", PLAIN]


def push(layout: Layout, destination: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *push_command(layout, destination), *options],
        env={**MODULES, "REGISTRY_AUTH_FILE": "/nonexistent", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def signed(layout: Layout, destination: str, key: Key, *options: str) -> str:
    """Push and sign; where it is, by digest."""
    done = push(layout, destination, "--sign", key.name, *options, **key.env)
    assert done.returncode == 0, done.stderr
    assert not [secret for secret in (PASSPHRASE, PIN) if secret in done.stdout + done.stderr]
    return done.stdout.strip()


def copy(source: str, target: str) -> None:
    words = ["copy", "--src-tls-verify=false", PLAIN, f"docker://{source}", f"docker://{target}"]
    subprocess.run(["skopeo", "--insecure-policy", *words], check=True, capture_output=True)


def beside(reference: str, kind: str) -> str:
    """The tag of an image's signatures or attestations."""
    name, _, digest = reference.partition("@")
    return f"{name}:{digest.replace(':', '-')}.{kind}"


def test_cosign_and_verify_accept_it(other_registry, source, key, other):
    """The image and its attestations, by this key and by no other; they say what lies beside the image."""
    destination = f"{other_registry.host}/attest/{Path(key.public).stem}"
    reference = signed(source.builds(), destination, key)
    assert accepts(key.public, reference)
    assert attested(key.public, reference, MATERIALS)["predicate"] == {"components": [{"name": "base"}]}
    statement = attested(key.public, reference, PROVENANCE)
    assert statement["predicate"]["runDetails"] == {"builder": {"id": "https://nixos.org/nix"}}
    assert statement["subject"][0]["digest"] == {"sha256": reference.partition("@sha256:")[2]}
    assert not accepts(other.public, reference)
    assert attested(other.public, reference, PROVENANCE) is None
    done = verify(f"docker://{reference}", source, "--key", key.public)
    assert done.returncode == 0, done.stderr
    refused(verify(f"docker://{reference}", source, "--key", other.public), 9)
    # Pushed again, nothing moves.
    before = other_registry.blobs(), other_registry.uploads()
    assert signed(source.builds(), destination, key) == reference
    assert (other_registry.blobs(), other_registry.uploads()) == before


def test_another_key_adds_to_them(other_registry, source, in_file, other):
    """Neither takes away what the other has said, or stands for it."""
    reference = ""
    for each in (in_file, other):
        reference = signed(source.builds(), f"{other_registry.host}/attest/both", each)
    for each in (in_file, other):
        assert accepts(each.public, reference)
        assert attested(each.public, reference, MATERIALS)
        assert verify(f"docker://{reference}", source, "--key", each.public).returncode == 0
    blobs, tags = other_registry.blobs(), other_registry.tags("attest/both")
    counts = [
        len(json.loads(blobs[tags[beside(reference, kind).rpartition(":")[2]]])["layers"])
        for kind in (SIGNED, ENVELOPE)
    ]
    assert counts == [2, 4]


def test_written_otherwise_it_is_signed_as_it_is_there(other_registry, in_file, tmp_path):
    """The index, and each image that it names, by the digests that they have in the registry."""
    source = Source(tmp_path / "source")
    layout = source.builds()
    two(layout, APPLICATION)
    referrers(layout).mkdir()
    reference = signed(layout, f"{other_registry.host}/attest/otherwise", in_file, "--format", "v2s2")
    name, _, digest = reference.partition("@")
    built = json.loads((layout.path / "index.json").read_text())["manifests"][0]["digest"]
    assert digest != built
    images = json.loads(other_registry.blobs()[digest])["manifests"]
    assert len(images) == 2
    for each in (digest, *(image["digest"] for image in images)):
        assert accepts(in_file.public, f"{name}@{each}")


@pytest.fixture(scope="module")
def right(other_registry, source, in_file) -> str:
    """A signed image, whose attestations are then replaced."""
    return signed(source.builds(), f"{other_registry.host}/attest/right", in_file)


def test_verify_refuses_attestations_by_another_key(other_registry, source, right, in_file, other):
    """The image is signed by the right one."""
    theirs = signed(source.builds(), f"{other_registry.host}/attest/theirs", other)
    copy(beside(theirs, ENVELOPE), beside(right, ENVELOPE))
    sentence = refused(verify(f"docker://{right}", source, "--key", in_file.public), 9)
    assert "is attested https://slsa.dev/provenance/v1, but not by that key" in sentence


def test_verify_refuses_attestations_of_something_else(other_registry, source, right, in_file, tmp_path):
    """By the right key, about the same image, beside the right bill of materials."""
    same = Layout(tmp_path / "same")
    shutil.copytree(source.builds().path, same.path)
    make_referrers(same.path, b'{"components": []}', referrers(same))
    others = signed(same, f"{other_registry.host}/attest/else", in_file)
    assert right.partition("@")[2] == others.partition("@")[2]
    copy(beside(others, ENVELOPE), beside(right, ENVELOPE))
    sentence = refused(verify(f"docker://{right}", source, "--key", in_file.public), 10)
    assert "that key attests of" in sentence
    assert "than its revision builds" in sentence


def test_verify_passes_over_what_is_no_attestation(other_registry, source, right, in_file):
    """Anybody who may write to the registry can put something under the tag."""
    image = upload(source.builds(), other_registry, "attest/any")
    copy(image.removeprefix("docker://"), beside(right, ENVELOPE))
    assert verify(f"docker://{right}", source, "--key", in_file.public).returncode == 0


@pytest.mark.parametrize(
    ("change", "env", "code", "why"),
    [
        (("", ""), {"COSIGN_PKCS11_PIN": "000000"}, 5, "CKR_PIN_INCORRECT"),
        (("The%20team's", "Another"), {}, 5, 'No slot with token named "Another" found'),
        (("%a2", "%a3"), {}, 5, "object not found"),
        (("module-path=", "module-path=/nonexistent"), {}, 5, "/nonexistent"),
        (("", ""), {"PATH": "/nonexistent"}, 5, "install OpenSC"),
        (("?", "?pin-source=/nonexistent&"), {}, 5, "/nonexistent: No such file or directory"),
        (("id=%a2;", ""), {}, 2, "the key's id: pkcs11:token=NAME;id=%01"),
        (("?", "?pin-value=271828&"), {}, 2, "all can read a PIN in a command line"),
    ],
)
def test_token_that_cannot_be_used(other_registry, source, in_token, change, env, code, why):
    """One sentence, without the PIN; and nothing is sent."""
    uri = in_token.name.replace(*change, 1)
    before = other_registry.blobs()
    destination = f"{other_registry.host}/attest/no:1"
    done = push(source.builds(), destination, "--sign", uri, **(in_token.env | env))
    assert done.returncode == code, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("push: ")
    assert why in sentence
    assert PIN not in sentence
    assert (done.stdout, other_registry.blobs()) == ("", before)


def test_pin_from_a_file(other_registry, source, in_token, tmp_path):
    (tmp_path / "pin").write_text(f"{PIN}\n")
    uri = in_token.name.replace("?", f"?pin-source=file:{tmp_path}/pin&")
    key = Key(uri, in_token.public, in_token.env | {"COSIGN_PKCS11_PIN": ""})
    assert accepts(key.public, signed(source.builds(), f"{other_registry.host}/attest/pin", key))


def test_without_what_signs(other_registry, source, in_file):
    """As on the Debian set, if a project's lock is older than that: the rest of a push needs only Python."""
    before = other_registry.blobs()
    command = [sys.executable, "-S", *push_command(source.builds(), f"{other_registry.host}/attest/old:1")]
    env = {**MODULES, **in_file.env, "REGISTRY_AUTH_FILE": "/nonexistent"}
    done = subprocess.run([*command, "--sign", in_file.name], env=env, capture_output=True, text=True)
    assert done.returncode == 5
    assert "run `nixw relock`" in done.stderr
    assert other_registry.blobs() == before
    assert subprocess.run(command, env=env, capture_output=True).returncode == 0
