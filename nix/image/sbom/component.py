"""What a bill of materials says of one part of an image."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Component:
    """A part of an image, in CycloneDX's terms.

    `name` and `version` are as the part itself gives them; a part without a version has "". `key` is how others refer to
    it, whatever its version, and `requires` are the keys of others, in the image or not. `locations` are absolute paths
    in the image: of the records that tell of the part, or of the store path that it is.
    """

    name: str
    version: str
    key: str
    type: str = "library"
    purl: str = ""
    cpe: str = ""
    description: str = ""
    # CycloneDX license choices.
    licences: list[dict[str, object]] = dataclasses.field(default_factory=list)
    locations: list[str] = dataclasses.field(default_factory=list)
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    # The file that it was installed from, and its SHA-256.
    file: str = ""
    sha256: str = ""
    requires: set[str] = dataclasses.field(default_factory=set)

    @property
    def ref(self) -> str:
        """What identifies it in the document."""
        return f"{self.key}@{self.version}" if self.version else self.key
