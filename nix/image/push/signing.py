"""`push --sign KEY`: what signs, a private key in a file or in a token."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from errors import Unusable
from key_file import decrypted
from keys import ALGORITHM, accepts, public_key
from pkcs11 import read_uri

PASSPHRASE = "COSIGN_PASSWORD"


@dataclass(frozen=True)
class Signer:
    """The public half of a key, and what the private half makes of a message: a signature in DER. It raises Unusable."""

    public: EllipticCurvePublicKey
    sign: Callable[[bytes], bytes]


def read_signer(key: str) -> Signer:
    """What signs with the key; it has been tried.

    Raises:
        ValueError: the key is not named as keys are, or nobody can be asked for its passphrase or PIN.
        Unusable: there is none, or it is another kind of key, or the passphrase or the PIN is another.
    """
    try:
        return in_token(key) if key.startswith("pkcs11:") else in_file(key)
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from None


def in_file(name: str) -> Signer:
    key = decrypted(Path(name).read_text(errors="replace"), passphrase_of(name))
    return Signer(key.public_key(), lambda message: key.sign(message, ALGORITHM))


def in_token(uri: str) -> Signer:
    token = read_uri(uri)
    try:
        public = public_key(token.public_key())
    except ValueError as error:
        raise Unusable(str(error)) from None

    def sign(message: bytes) -> bytes:
        signature = token.sign(message)
        # Of several keys in it, the tool might have taken another.
        if not accepts(public, message, [signature]):
            raise Unusable(f"the token {token.label} signs with another key than it shows")
        return signature

    sign(b"")
    return Signer(public, sign)


def passphrase_of(key: str) -> str:
    """From COSIGN_PASSWORD, if that is set; else it is asked for on the terminal."""
    if PASSPHRASE in os.environ:
        return os.environ[PASSPHRASE]
    if not sys.stdin.isatty():
        raise ValueError(f"the passphrase of {key} is not known: set {PASSPHRASE}")
    return getpass.getpass(f"Passphrase of {key}: ")
