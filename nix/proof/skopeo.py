"""Copies of images, by skopeo; and what its last words mean."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from outcome import Outcome, Stop

# When a registry that accepts connections but never answers is given up.
TIMEOUT = "1h"

# Where programs find the certificate authorities that the machine trusts.
SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")

# What skopeo's last words mean. The first that fits counts.
FAILURES = {
    r"no signature exists": (Outcome.NOT_SIGNED, "{what} is not signed."),
    r"rejected: parsing public key|rejected: open ": (
        Outcome.USAGE,
        "the key cannot be read: it must be a public key in PEM ({reason}).",
    ),
    r"Source image rejected": (
        Outcome.OTHER_KEY,
        "{what} is signed, but not by that key, or not as an image of this repository ({reason}).",
    ),
    r"did not match, expected|does not match provided manifest digest|unexpected EOF": (
        Outcome.DIFFERS,
        "{what} is damaged or tampered with: the registry's bytes are not those that its digest names ({reason}).",
    ),
    r"manifest unknown|name unknown|manifest invalid|reading manifest .* not found|blob unknown": (
        Outcome.NO_IMAGE,
        "there is no {what} ({reason}).",
    ),
    r"unauthorized|authentication required|access to the resource is denied|\bdenied: |forbidden": (
        Outcome.DENIED,
        "{what} may not be read ({reason}); log in as somebody who may (`docker login`), or name a file of credentials"
        + " with REGISTRY_AUTH_FILE.",
    ),
    r"server gave HTTP response to HTTPS client|does not look like a TLS handshake": (
        Outcome.UNREACHABLE,
        "the registry of {what} speaks plain http; if that is meant to be, add --tls-verify=false.",
    ),
    r"x509: ": (
        Outcome.UNREACHABLE,
        "the registry of {what} has no certificate that this machine trusts ({reason}); name its authority's with"
        + " SSL_CERT_FILE.",
    ),
    r"context deadline exceeded": (Outcome.UNREACHABLE, f"{{what}} did not arrive within {TIMEOUT}."),
    r"pinging container registry|dial tcp|no such host|timeout|connection reset|broken pipe|\bEOF\b": (
        Outcome.UNREACHABLE,
        "the registry of {what} cannot be reached: {reason}.",
    ),
    "": (Outcome.FAILED, "{what} could not be read: {reason}."),
}


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
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode == 0:
            return done.stdout
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise failure(message(lines[-1]) if lines else f"skopeo ended with {done.returncode}", what)

    def _environment(self) -> dict[str, str]:
        known = "SSL_CERT_FILE" in os.environ or any(map(os.path.exists, SYSTEM_CERTIFICATES))
        return dict(os.environ) if known else {**os.environ, "SSL_CERT_FILE": self.certificates}


def message(line: str) -> str:
    """The message of a line of skopeo's log, or the line if it is none."""
    found = re.search(r'msg=("(?:[^"\\]|\\.)*"|\S+)', line)
    text = found[1] if found else line.strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def failure(reason: str, what: str) -> Stop:
    """What skopeo's reason means for who asked for `what`."""
    outcome, sentence = next(
        meaning for pattern, meaning in FAILURES.items() if re.search(pattern, reason, re.IGNORECASE)
    )
    # At its end is why; before that stands what skopeo was about to do.
    reason = re.sub(r"^.*Source image rejected: ", "", reason)
    reason = re.sub(r"^.*pinging container registry \S+ (Get \"[^\"]*\": )?", "", reason)
    return Stop(outcome, sentence.format(what=what, reason=reason.rstrip(".")))
