"""A repository of a registry: what skopeo copies to and from it, reached as the image was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descriptors import are_descriptors
from errors import NotCopied

# Options of `skopeo copy` that say how to reach the destination, and are there for the source, too; those without a value.
REACHING = re.compile(
    r"--((dest-)?(authfile|cert-dir|creds|no-creds|password|registry-token|tls-verify|username)|retry-(times|delay))(?==|$)"
)
ALONE = re.compile(r"--dest-(no-creds|tls-verify)(=.*)?$|--[a-z-]+=")
NONE = re.compile(r"manifest unknown|name unknown|not found", re.IGNORECASE)

# Copies by skopeo: options, source, target. Returns why not, or "".
Copy = Callable[[list[str], str, str], str]


@dataclass(frozen=True)
class Repository:
    """What is in it is called :TAG or @DIGEST here.

    Attributes:
        address: docker://HOST/NAME.
        options: those of `skopeo copy` with which the image was pushed. They may say how it was to be changed,
            which nothing else is.
    """

    address: str
    options: list[str]
    copy: Copy

    def write(self, source: str, name: str, *more: str) -> None:
        """Copy there, byte for byte, what is a source to skopeo. Raises NotCopied."""
        options = ["--quiet", *self.reaching(), "--preserve-digests", *more]
        if why := self.copy(options, source, f"{self.address}{name}"):
            raise NotCopied(why)

    def read(self, name: str, folder: Path, *more: str) -> bool:
        """Copy to a new folder, in skopeo's layout `dir`; whether there was something. Raises NotCopied."""
        options = [word.replace("--dest-", "--src-", 1) for word in self.reaching()]
        why = self.copy(["--quiet", *options, *more], f"{self.address}{name}", f"dir:{folder}")
        if why and not NONE.search(why):
            raise NotCopied(why)
        return not why

    def index(self, name: str, folder: Path) -> list[dict[str, Any]]:
        """What an index has, from such a folder; [] if there is none. Raises NotCopied, too, if it is something else."""
        if not self.read(name, folder, "--multi-arch", "index-only"):
            return []
        found = json.loads((folder / "manifest.json").read_text()).get("manifests")
        if not are_descriptors(found):
            raise NotCopied(f"what is called {name[1:]} is no index")
        return list(found)

    def reaching(self) -> Iterator[str]:
        words = iter(self.options)
        for word in words:
            if REACHING.match(word):
                yield word
                if not ALONE.match(word):
                    yield next(words, "")
