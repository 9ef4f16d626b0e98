"""What the holder of a key says of an image: written and read again, tampered with, and made up by anybody."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from claims import ENVELOPE, SIGNATURE, Claim, claims_in, encode, signature
from keys import ALGORITHM, accepts

KEY = ec.generate_private_key(ec.SECP256R1())
STATEMENT = {"predicateType": "https://example.org/predicate", "subject": [], "predicate": {"a": [1]}}
CLAIMS = [
    signature("registry.example.org/team/backend:1.0", f"sha256:{64 * 'a'}"),
    Claim(ENVELOPE, STATEMENT, encode(STATEMENT)),
]


def in_folder(folder: Path, manifest: object, *contents: bytes) -> list[tuple[Claim, list[bytes]]]:
    """What is read of a manifest and blobs in skopeo's layout `dir`."""
    for content in contents:
        (folder / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return list(claims_in(folder))


def layer(kind: str, content: bytes, annotations: object) -> dict:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content), "annotations": annotations}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_signed_is_read_again_and_no_byte_of_it_can_change(claim, tmp_path):
    content, annotations = claim.signed(KEY.sign(claim.message, ALGORITHM))
    ((found, signatures),) = in_folder(
        tmp_path, {"layers": [layer(claim.kind, content, annotations)]}, content
    )
    assert found == claim
    assert accepts(KEY.public_key(), found.message, signatures)
    assert not accepts(ec.generate_private_key(ec.SECP256R1()).public_key(), found.message, signatures)
    for position in range(len(found.payload)):
        changed = bytearray(found.payload)
        changed[position] ^= 1
        other = Claim(found.kind, found.says, bytes(changed))
        assert not accepts(KEY.public_key(), other.message, signatures)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# What a claim consists of, with anything in the place of any part.
ENCODED = JSON | st.just("e30=") | st.just("W10=")
CONTENTS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "critical": JSON,
        "payload": ENCODED,
        "signatures": JSON | st.lists(st.fixed_dictionaries({"sig": ENCODED}), max_size=2),
    },
)
ANNOTATIONS = JSON | st.fixed_dictionaries({"dev.cosignproject.cosign/signature": ENCODED})


@given(JSON | st.fixed_dictionaries({"layers": JSON}))
def test_what_is_no_manifest_holds_no_claims(manifest):
    with tempfile.TemporaryDirectory() as folder:
        assert in_folder(Path(folder), manifest) == []


@given(st.sampled_from([SIGNATURE, ENVELOPE]), CONTENTS, ANNOTATIONS)
def test_whatever_anybody_has_written_is_read_or_passed_over(kind, content, annotations):
    """It is not the key's."""
    encoded = json.dumps(content).encode()
    with tempfile.TemporaryDirectory() as folder:
        found = in_folder(Path(folder), {"layers": [layer(kind, encoded, annotations)]}, encoded)
    for claim, signatures in found:
        assert isinstance(claim.says, dict)
        assert not accepts(KEY.public_key(), claim.message, signatures)
