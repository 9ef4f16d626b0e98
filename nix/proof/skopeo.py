"""Copies of images, by skopeo; and what it means for their reader if there is none."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from outcome import Outcome, Stop, refuse_full_disk
from skopeo_call import TIMEOUT, Reason, because, environment, message, reason_of

FAILURES = {
    Reason.NOT_SIGNED: (Outcome.NOT_SIGNED, "{what} is not signed."),
    Reason.PUBLIC_KEY: (
        Outcome.USAGE,
        "the key cannot be read: it must be a public key in PEM ({reason}).",
    ),
    Reason.OTHER_SIGNATURE: (
        Outcome.OTHER_KEY,
        "{what} is signed, but not by that key, or not as an image of this repository ({reason}).",
    ),
    Reason.DAMAGED: (
        Outcome.DIFFERS,
        "{what} is damaged or tampered with: the registry's bytes are not those that its digest names ({reason}).",
    ),
    Reason.NO_IMAGE: (Outcome.NO_IMAGE, "there is no {what} ({reason})."),
    Reason.DENIED: (
        Outcome.DENIED,
        "{what} may not be read ({reason}); log in as somebody who may (`docker login`), or name a file of credentials"
        + " with REGISTRY_AUTH_FILE.",
    ),
    Reason.PLAIN_HTTP: (
        Outcome.UNREACHABLE,
        "the registry of {what} speaks plain http; if that is meant to be, add --tls-verify=false.",
    ),
    Reason.CERTIFICATE: (
        Outcome.UNREACHABLE,
        "the registry of {what} has no certificate that this machine trusts ({reason}); name its authority's with"
        + " SSL_CERT_FILE.",
    ),
    Reason.TIMEOUT: (Outcome.UNREACHABLE, f"{{what}} did not arrive within {TIMEOUT}."),
    Reason.UNREACHABLE: (Outcome.UNREACHABLE, "the registry of {what} cannot be reached: {reason}."),
}
OTHERWISE = (Outcome.FAILED, "{what} could not be read: {reason}.")


@dataclass(frozen=True)
class Skopeo:
    """The program, the certificates of a machine that has none, and whether a registry's certificate counts."""

    program: str
    certificates: str
    tls_verify: bool = True

    def fetch(self, source: str, folder: Path, what: str, *options: str, policy: Path | None = None) -> None:
        """Copy an image to a folder in skopeo's layout `dir`, byte for byte.

        Args:
            source: the image, in skopeo's terms.
            what: what people call it.
            policy: whose images are taken; without one, everybody's.

        Raises:
            Stop: it cannot be read, or is not what its digest says.
        """
        trust = ["--policy", str(policy)] if policy else ["--insecure-policy"]
        command = [*trust, "--command-timeout", TIMEOUT, "copy", "--quiet", *options]
        if source.startswith("docker://") and not self.tls_verify:
            command.append("--src-tls-verify=false")
        self.run([*command, source, f"dir:{folder}"], what)

    def run(self, command: list[str], what: str) -> str:
        """What skopeo writes on stdout. Raises Stop."""
        done = subprocess.run(
            [self.program, *command],
            env=environment(self.certificates),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode == 0:
            return done.stdout
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        words = message(lines[-1]) if lines else f"skopeo ended with {done.returncode}"
        refuse_full_disk(words)
        raise failure(words, what)


def failure(words: str, what: str) -> Stop:
    """What skopeo's last words mean for who asked for `what`."""
    outcome, sentence = FAILURES.get(reason_of(words), OTHERWISE)
    return Stop(outcome, sentence.format(what=what, reason=because(words)))
