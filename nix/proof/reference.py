"""An image's place in a registry: docker://HOST[:PORT]/NAME, with :TAG or @DIGEST."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outcome import Outcome, Stop

# OCI distribution-spec 1.0, "Pulling manifests", for name and tag; image-spec 1.0, "Digests". The host is always named.
REFERENCE = re.compile(
    r"docker://(?P<host>(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:)|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?)"
    r"/(?P<name>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))",
    re.ASCII,
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
