"""An image's place in a registry: docker://HOST[:PORT]/NAME, with :TAG or @DIGEST."""

from __future__ import annotations

import re
from dataclasses import dataclass

from names import DIGEST, HOST, NAME, TAG
from outcome import Outcome, Stop

REFERENCE = re.compile(
    rf"docker://(?P<host>{HOST})/(?P<name>{NAME})(?::(?P<tag>{TAG})|@(?P<digest>{DIGEST}))", re.ASCII
)
EXAMPLE = "docker://HOST/NAME@sha256:..., or docker://HOST/NAME:TAG"


@dataclass(frozen=True)
class Reference:
    """One of `tag` and `digest` is "". `host` has the port."""

    host: str
    name: str
    tag: str
    digest: str

    def at(self, digest: str) -> str:
        """This image, or another thing beside it, by its digest."""
        return f"{self.host}/{self.name}@{digest}"

    def __str__(self) -> str:
        return f"{self.host}/{self.name}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def read_reference(text: str) -> Reference:
    """Raises Stop; its sentence does not repeat what may hold a password."""
    if found := REFERENCE.fullmatch(text):
        return Reference(found["host"], found["name"], found["tag"] or "", found["digest"] or "")
    if "@" in text:
        raise Stop(
            Outcome.USAGE, f"that is no image in a registry, or has credentials in it: write {EXAMPLE}."
        )
    raise Stop(Outcome.USAGE, f'"{text}" is no image in a registry: write {EXAMPLE}.')
