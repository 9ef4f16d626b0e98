"""What lies beside an image in a registry: its bill of materials and its provenance, which its revision builds as well, and
attestations of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from claims import ENVELOPE, Claim, attestations, claims_in, tag_of
from descriptors import are_descriptors
from images import parsed
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


def check_attestations(
    skopeo: Skopeo, reference: Reference, digest: str, built: Path, folder: Path, key: str
) -> None:
    """That what is attested of an image in cosign's way, if anything is, is by the key, and is what was built.

    Others may have attested the same, or something else: that is for who has their keys.

    Args:
        digest: of the image.
        built: the layout of the artifacts, from its revision.
        folder: a new one, to work in.
        key: the file of a public key.

    Raises:
        Stop: it is only by others, or says something else.
    """
    try:
        tag = f"{reference.host}/{reference.name}:{tag_of(digest, ENVELOPE)}"
        skopeo.fetch(f"docker://{tag}", folder, tag)
    except Stop as stop:
        if stop.outcome == Outcome.NO_IMAGE:
            return
        raise
    # It needs more than Python, and not everybody has a key.
    from keys import accepts, public_key

    try:
        public = public_key(Path(key).read_bytes())
    except ValueError as error:
        raise Stop(Outcome.USAGE, f"{key} does not say whose attestations are right: {error}.") from None
    found = list(claims_in(folder))
    for wanted in attestations(built):
        predicate = wanted.says["predicateType"]
        there = [each for each in found if each[0].says.get("predicateType") == predicate]
        theirs = [claim for claim, signatures in there if accepts(public, claim.message, signatures)]
        if there and not theirs:
            raise Stop(
                Outcome.OTHER_KEY,
                f"beside {reference.at(digest)} is attested {predicate}, but not by that key.",
            )
        if any(stated(claim) != stated(wanted) for claim in theirs):
            raise Stop(
                Outcome.BESIDE,
                f"that key attests of {reference.at(digest)} another {predicate} than its revision builds.",
            )


def stated(claim: Claim) -> tuple[object, object]:
    """Of which digests, and what: without the names that people give them."""
    subjects = claim.says.get("subject")
    known = subjects if isinstance(subjects, list) else []
    digests = [each.get("digest") for each in known if isinstance(each, dict)]
    return digests, claim.says.get("predicate")


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
