"""A key in a token (PKCS #11), which signs without leaving it. Its URI names it (RFC 7512).

OpenSC's pkcs11-tool drives the token: the driver is the machine's own, and so must be what loads it.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from errors import Unusable

PIN = "COSIGN_PKCS11_PIN"
MODULE = "COSIGN_PKCS11_MODULE_PATH"
EXAMPLE = "pkcs11:token=NAME;id=%01"
# It may wait for somebody to touch it.
TIMEOUT = 120  # seconds
# What the tool says while all is well.
CHATTER = ("Using ", "Logging in", "Aborting")


@dataclass(frozen=True)
class Token:
    """A key in it: the token's label, and the key's id in hex. Without a module, the tool takes OpenSC's own."""

    label: str
    id: str
    module: str
    pin: str = field(repr=False)

    def public_key(self) -> bytes:
        """As DER. Raises Unusable, as `sign` does."""
        return self.run("--read-object", "--type", "pubkey")

    def sign(self, message: bytes) -> bytes:
        """A signature of the SHA-256 of the message, as DER. Some tokens cannot make the SHA-256 themselves.

        Raises:
            Unusable: there is no such token or key, or it does not take the PIN.
        """
        words = (
            "--login",
            "--pin",
            f"env:{PIN}",
            "--sign",
            "--mechanism",
            "ECDSA",
            "--signature-format",
            "openssl",
        )
        return self.run(*words, content=hashlib.sha256(message).digest())

    def run(self, *words: str, content: bytes = b"") -> bytes:
        module = ["--module", self.module] if self.module else []
        command = ["pkcs11-tool", *module, "--token-label", self.label, "--id", self.id, *words]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, PIN: self.pin},
                input=content,
                capture_output=True,
                timeout=TIMEOUT,
            )
        except FileNotFoundError:
            raise Unusable("there is no pkcs11-tool on PATH: install OpenSC") from None
        except subprocess.TimeoutExpired:
            raise Unusable(f"the token has not answered for {TIMEOUT} s") from None
        if done.returncode != 0 or not done.stdout:
            lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
            told = [line for line in lines if not line.startswith(CHATTER)]
            raise Unusable("; ".join(told) or f"pkcs11-tool ended with {done.returncode}")
        return done.stdout


def read_uri(uri: str) -> Token:
    """The key that a URI names, and the PIN from a file, the environment or the terminal.

    Raises:
        ValueError: it names none, or holds the PIN itself.
        OSError: the file of the PIN cannot be read.
    """
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    parts = dict(part.partition("=")[::2] for part in path.split(";"))
    asked = dict(part.partition("=")[::2] for part in query.split("&"))
    if "pin-value" in asked or "pin-value" in parts:
        raise ValueError(
            f"all can read a PIN in a command line: put it into a file (pin-source), or set {PIN}"
        )
    label, number = unquote(parts.get("token", "")), unquote_to_bytes(parts.get("id", ""))
    if not label or not number:
        raise ValueError(f"a key in a token is named by the token's label and the key's id: {EXAMPLE}")
    module = unquote(asked.get("module-path", "")) or os.environ.get(MODULE, "")
    return Token(label, number.hex(), module, pin(label, unquote(asked.get("pin-source", ""))))


def pin(label: str, source: str) -> str:
    if source:
        return Path(source.removeprefix("file://").removeprefix("file:")).read_text().strip()
    if PIN in os.environ:
        return os.environ[PIN]
    if not sys.stdin.isatty():
        raise ValueError(f"the PIN of the token {label} is not known: set {PIN}")
    return getpass.getpass(f"PIN of the token {label}: ")
