"""What belongs beside an image that was pushed: artifacts about it, and signatures of it and of them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from attach import attach
from errors import NotCopied, PushError, Unusable
from lists import add_all
from media_types import INDEX
from repository import Repository

if TYPE_CHECKING:
    from signing import Signer


def put_beside(
    repository: Repository, layout: Path, digest: str, tag: str, artifacts: list[Path], signer: Signer | None
) -> None:
    """Put there what is not there yet.

    Args:
        repository: has the image, or the index of images.
        layout: that from which it was pushed.
        digest: which it has in the repository.
        tag: by which it was pushed, with the colon.
        artifacts: layouts of what is about it.
        signer: signs, if there is one.

    Raises:
        PushError: it is not there.
    """
    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    # In another format it is another manifest than the one that they are about.
    artifacts = artifacts if digest == descriptor["digest"] else []
    try:
        add_all([addition for each in artifacts for addition in attach(each, repository)])
    except NotCopied as error:
        sentence = f"the image is in the registry, but not what belongs beside it: {error}; --no-referrers pushes without."
        raise PushError(6, sentence) from None
    if not signer:
        return
    # It needs more than Python.
    from sign import signatures

    try:
        digests = [digest, *(members(repository, digest) if descriptor["mediaType"] == INDEX else [])]
        add_all(signatures(digests, tag, artifacts, repository, signer))
    except (NotCopied, Unusable) as error:
        raise PushError(6, f"the image is in the registry, but not all of its signatures: {error}.") from None


def members(repository: Repository, index: str) -> list[str]:
    """The digests of an index's images, which skopeo may have written in another format."""
    with tempfile.TemporaryDirectory(prefix="push-") as scratch:
        found = repository.index(f"@{index}", Path(scratch, "index"))
    if not found:
        raise NotCopied(f"it has {index} no more")
    return [str(each["digest"]) for each in found]
