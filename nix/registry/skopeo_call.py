"""What every call of skopeo has, and what its last words mean."""

from __future__ import annotations

import os
import re
from enum import Enum

# When a registry that accepts connections but never answers is given up.
TIMEOUT = "1h"

# Where programs find the certificate authorities that the machine trusts.
SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


class Reason(Enum):
    """Why skopeo has failed, by the pattern that its last words fit. The first that fits counts."""

    OPTIONS = r"unknown (shorthand )?flag|flag needs an argument|invalid argument|arguments expected"
    NOT_SIGNED = r"no signature exists"
    PUBLIC_KEY = r"rejected: parsing public key|rejected: open "
    OTHER_SIGNATURE = r"Source image rejected"
    DAMAGED = r"did not match, expected|does not match provided manifest digest"
    NO_IMAGE = r"manifest unknown|name unknown|manifest invalid|reading manifest .* not found|blob unknown"
    DENIED = r"unauthorized|authentication required|access to the resource is denied|\bdenied: |forbidden"
    PLAIN_HTTP = r"server gave HTTP response to HTTPS client|does not look like a TLS handshake"
    CERTIFICATE = r"x509: "
    TIMEOUT = r"context deadline exceeded"
    UNREACHABLE = (
        r"pinging container registry|dial tcp|no such host|timeout|connection reset|broken pipe|\bEOF\b"
    )
    OTHER = ""


def reason_of(words: str) -> Reason:
    return next(reason for reason in Reason if re.search(reason.value, words, re.IGNORECASE))


def because(words: str) -> str:
    """The end of its last words, which says why; before that stands what skopeo was about to do."""
    words = re.sub(r"^.*Source image rejected: ", "", words)
    words = re.sub(r"^.*sha256:[0-9a-f]{64}.*?: ", "", words)
    return re.sub(r'^.*pinging container registry \S+ (Get "[^"]*": )?', "", words).rstrip(".")


def message(line: str) -> str:
    """The message of a line of skopeo's log, or the line if it is none."""
    found = re.search(r'msg=("(?:[^"\\]|\\.)*"|\S+)', line)
    text = found[1] if found else line.strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def environment(certificates: str) -> dict[str, str]:
    """A machine without certificate authorities of its own gets the package set's."""
    known = "SSL_CERT_FILE" in os.environ or any(map(os.path.exists, SYSTEM_CERTIFICATES))
    return dict(os.environ) if known else {**os.environ, "SSL_CERT_FILE": certificates}
