"""The file of a private key as cosign and skopeo write it: PEM of JSON that says how it is encrypted (go-securesystemslib)."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from errors import Unusable
from keys import private_key

PEM = re.compile(
    r"-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----\s(.*)-----END ENCRYPTED \1 PRIVATE KEY-----",
    re.DOTALL,
)
NONE = "it is no private key as cosign writes it"
# Cosign's parameters take 64 MB; what takes more than this is no key of anybody's.
MEMORY = 1 << 30


def decrypted(text: str, passphrase: str) -> EllipticCurvePrivateKey:
    """The key. Raises Unusable if it is none, or the passphrase is another."""
    found = PEM.search(text)
    if not found:
        raise Unusable(NONE)
    try:
        document = json.loads(base64.b64decode(found[2]))
        methods = document["kdf"]["name"], document["cipher"]["name"]
        parameters = document["kdf"]["params"]
        salt, nonce, ciphertext = (
            base64.b64decode(each)
            for each in (document["kdf"]["salt"], document["cipher"]["nonce"], document["ciphertext"])
        )
        if methods != ("scrypt", "nacl/secretbox"):
            raise Unusable(NONE)
        key = hashlib.scrypt(
            passphrase.encode(),
            salt=salt,
            n=parameters["N"],
            r=parameters["r"],
            p=parameters["p"],
            maxmem=MEMORY,
            dklen=SecretBox.KEY_SIZE,
        )
        content = SecretBox(key).decrypt(ciphertext, nonce)
    except CryptoError:
        raise Unusable("its passphrase is another") from None
    except (ValueError, TypeError, KeyError, OverflowError):
        raise Unusable(NONE) from None
    try:
        return private_key(content)
    except ValueError as error:
        raise Unusable(str(error)) from None
