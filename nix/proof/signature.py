"""Signatures in cosign's layout, which skopeo checks by a policy."""

from __future__ import annotations

import json
from pathlib import Path

from outcome import Outcome, Stop


def signed_by(key: str, folder: Path) -> tuple[list[str], Path]:
    """Options of `skopeo copy`, and the policy by which it takes only images that a key has signed.

    skopeo never asks for the signature of an index, so each image in it must be signed: `--all` copies, and checks, them all.

    Args:
        key: the file of a public key in PEM, as `cosign generate-key-pair` and `skopeo generate-sigstore-key` write it.
        folder: a new one, for the policy.

    Raises:
        Stop: there is no such file.
    """
    if not Path(key).is_file():
        raise Stop(Outcome.USAGE, f"{key} is no file of a public key.")
    folder.mkdir()
    policy, attachments = folder / "policy.json", folder / "registries.d"
    rule = {
        "type": "sigstoreSigned",
        "keyPath": str(Path(key).absolute()),
        # Signed as any tag of this repository.
        "signedIdentity": {"type": "matchRepository"},
    }
    everything_else = [{"type": "reject"}]
    policy.write_text(json.dumps({"default": everything_else, "transports": {"docker": {"": [rule]}}}))
    attachments.mkdir()
    (attachments / "default.yaml").write_text("default-docker: {use-sigstore-attachments: true}\n")
    return ["--registries.d", str(attachments)], policy
