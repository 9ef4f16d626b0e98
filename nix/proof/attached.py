"""What lies beside an image in a registry: its bill of materials and its provenance, which its revision builds as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from images import are_descriptors, parsed
from media_types import PROVENANCE, SBOM
from outcome import Outcome, Stop
from reference import Reference
from skopeo import Skopeo

KINDS = {
    SBOM: "bill of materials",
    PROVENANCE: "provenance",
}


def check_attached(
    skopeo: Skopeo,
    reference: Reference,
    digest: str,
    built: Path,
    folder: Path,
    options: list[str],
    policy: Path | None,
) -> None:
    """That the registry has, beside an image, what was built, byte for byte; and, under a policy, signed.

    Args:
        digest: of the image.
        built: the layout of the artifacts, from its revision.
        folder: a new one, to work in.

    Raises:
        Stop: it has nothing, or something else.
    """
    folder.mkdir()
    listed = listing(skopeo, reference, digest, folder / "list")
    for artifact in json.loads((built / "index.json").read_text())["manifests"]:
        kind, wanted = str(artifact["artifactType"]), str(artifact["digest"])
        what = KINDS.get(kind, kind)
        if wanted not in [each["digest"] for each in listed]:
            others = [each["digest"] for each in listed if each.get("artifactType") == kind]
            instead = f"only another one ({others[0]})" if others else "none"
            raise Stop(
                Outcome.BESIDE,
                f"beside {reference.at(digest)} must be its {what} {wanted}, but there is {instead}.",
            )
        try:
            target = folder / wanted.removeprefix("sha256:")
            copy = ("--preserve-digests", *options)
            skopeo.fetch(f"docker://{reference.at(wanted)}", target, f"the {what}", *copy, policy=policy)
        except Stop as stop:
            if stop.outcome != Outcome.NO_IMAGE:
                raise
            raise Stop(
                Outcome.BESIDE, f"the registry lists the {what} {wanted}, but has it no more."
            ) from None


def listing(skopeo: Skopeo, reference: Reference, digest: str, folder: Path) -> list[dict[str, Any]]:
    """The index under the tag that is named for the image (OCI distribution-spec 1.1, "Referrers Tag Schema")."""
    tag = f"{reference.host}/{reference.name}:{digest.replace(':', '-')}"
    try:
        skopeo.fetch(f"docker://{tag}", folder, tag, "--multi-arch", "index-only")
    except Stop as stop:
        if stop.outcome != Outcome.NO_IMAGE:
            raise
        raise Stop(
            Outcome.BESIDE,
            f"the registry has neither bill of materials nor provenance of {reference.at(digest)}, which a push puts"
            " there; --no-referrers does not look for them.",
        ) from None
    manifests = parsed((folder / "manifest.json").read_bytes()).get("manifests")
    return list(manifests) if isinstance(manifests, list) and are_descriptors(manifests) else []
