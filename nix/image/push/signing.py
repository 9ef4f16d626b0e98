"""`push --sign KEY`, in skopeo's terms: a signature in cosign's layout, beside the image."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PASSPHRASE = "COSIGN_PASSWORD"


@contextlib.contextmanager
def signing(options: list[str]) -> Iterator[list[str]]:
    """The options of `skopeo copy` for those of `push`, for as long as their files are there.

    The passphrase comes from COSIGN_PASSWORD, if that is set; else it is asked for on the terminal.

    Raises:
        ValueError: --sign has no key, or nobody can be asked for the passphrase.
    """
    plain, key = without_key(options)
    if key is None:
        yield plain
        return
    with tempfile.TemporaryDirectory(prefix="signing-") as folder:
        registries = Path(folder, "registries.d")
        registries.mkdir()
        (registries / "default.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")
        passphrase = Path(folder, "passphrase")
        passphrase.touch(mode=0o600)
        passphrase.write_text(passphrase_of(key))
        plain += ["--registries.d", str(registries)]
        yield [*plain, "--sign-by-sigstore-private-key", key, "--sign-passphrase-file", str(passphrase)]


def passphrase_of(key: str) -> str:
    if PASSPHRASE in os.environ:
        return os.environ[PASSPHRASE]
    if not sys.stdin.isatty():
        raise ValueError(f"the passphrase of {key} is not known: set {PASSPHRASE}")
    return getpass.getpass(f"Passphrase of {key}: ")


def without_key(options: list[str]) -> tuple[list[str], str | None]:
    """The options but for `--sign KEY` or `--sign=KEY`, and the key."""
    plain, key = [], None
    words = iter(options)
    for word in words:
        if word == "--sign" or word.startswith("--sign="):
            key = word.removeprefix("--sign=") if "=" in word else next(words, "")
            if not key:
                raise ValueError("--sign wants a key: --sign cosign.key")
        else:
            plain.append(word)
    return plain, key
