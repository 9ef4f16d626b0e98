"""Keys of elliptic curves, which sign the SHA-256 of a message (ECDSA): what cosign makes."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = ECDSA(SHA256())
OTHER = "it is no key of an elliptic curve (ECDSA), as `cosign generate-key-pair` makes it"


def public_key(content: bytes) -> EllipticCurvePublicKey:
    """From PEM, or DER. Raises ValueError if it is none."""
    load = (
        serialization.load_pem_public_key
        if content.lstrip().startswith(b"-")
        else serialization.load_der_public_key
    )
    try:
        key = load(content)
    except UnsupportedAlgorithm:
        raise ValueError(OTHER) from None
    if isinstance(key, EllipticCurvePublicKey):
        return key
    raise ValueError(OTHER)


def private_key(content: bytes) -> EllipticCurvePrivateKey:
    """From DER. Raises ValueError if it is none."""
    try:
        key = serialization.load_der_private_key(content, None)
    except (UnsupportedAlgorithm, TypeError):
        raise ValueError(OTHER) from None
    if isinstance(key, EllipticCurvePrivateKey):
        return key
    raise ValueError(OTHER)


def accepts(key: EllipticCurvePublicKey, message: bytes, signatures: list[bytes]) -> bool:
    """Whether one of the signatures is the key's."""
    for signature in signatures:
        try:
            key.verify(signature, message, ALGORITHM)
        except InvalidSignature:
            continue
        return True
    return False
