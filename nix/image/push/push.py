"""`nix run .#push -- DESTINATION [OPTIONS]`: an image, or an index of images for several architectures, into a registry.

Beside it go its bill of materials and its provenance, but for --no-referrers.
With --with-inputs, so does all that it is built from.
With --sign KEY it is signed as cosign would do it; KEY is a file, and COSIGN_PASSWORD its passphrase.
DESTINATION is docker://HOST[:PORT]/NAME[:TAG]; without a tag it gets the project's version. OPTIONS are those of `skopeo copy`.
Credentials are those of `docker login`, `podman login` and `skopeo login`, or of the file that REGISTRY_AUTH_FILE names.
On stdout: progress, if that is a terminal; last, what was pushed as HOST/NAME@DIGEST.

Exit codes: 0 pushed; 1 the copy failed for another reason than these: 2 the destination or an option is wrong,
3 the registry cannot be reached, or is none, 4 it refuses the credentials, or got none, 5 the key
cannot be used, 6 it is pushed, but not what belongs beside it; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attach import attach
from inputs import with_inputs
from signing import signing

# OCI distribution-spec 1.0, "Pulling manifests", for name and tag.
DESTINATION = re.compile(
    r"docker://(?P<host>localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:)|\[[0-9a-fA-F:]+\])(?P<port>:[0-9]{1,5})?"
    r"/(?P<name>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?",
    re.ASCII,
)
EXAMPLE = "docker://HOST/NAME:TAG, as in docker://registry.example.com/team/backend:1.0"

# Where programs find the certificate authorities that the machine trusts.
SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")

# When a registry that accepts connections but never answers is given up.
TIMEOUT = "1h"

# The option to push the image and nothing beside it.
ALONE = "--no-referrers"
# And that to push all that it is built from.
INPUTS = "--with-inputs"

# What skopeo's last words mean: exit code and sentence. The first that fits counts.
FAILURES = {
    r"unknown (shorthand )?flag|flag needs an argument|invalid argument|arguments expected": (
        2,
        "skopeo does not take these options ({reason}); `skopeo copy --help` lists those it takes.",
    ),
    r"(initializing|reading) private key": (
        5,
        "the key cannot be used ({reason}): it must be a private key as cosign writes it, and COSIGN_PASSWORD its"
        + " passphrase. Nothing was sent.",
    ),
    r"unauthorized|authentication required|access to the resource is denied|\bdenied: |forbidden": (
        4,
        "{host} does not let you write {name} ({reason}); log in as somebody who may (`docker login {host}`), or name "
        + "a file of credentials with REGISTRY_AUTH_FILE.",
    ),
    r"server gave HTTP response to HTTPS client|does not look like a TLS handshake": (
        3,
        "{host} speaks plain http; if that is meant to be, add --dest-tls-verify=false.",
    ),
    r"x509: ": (
        3,
        "{host} has no certificate that this machine trusts ({reason}); name its authority's with SSL_CERT_FILE.",
    ),
    r"context deadline exceeded": (3, f"{{host}} did not take {{name}} within {TIMEOUT}; is it stuck?"),
    r"pinging container registry|dial tcp|no such host|timeout|connection reset|broken pipe|\bEOF\b": (
        3,
        "{host} cannot be reached: {reason}.",
    ),
    "": (1, "the image was not copied to {host}: {reason}."),
}


class PushError(Exception):
    """It cannot be pushed; a sentence for a person, and an exit code."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def main() -> int:
    skopeo, layout, referrers, certificates, tag, *arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    try:
        destination = read_destination(arguments, tag)
        flags = {ALONE, INPUTS} & set(arguments[1:])
        with (
            signing([word for word in arguments[1:] if word not in flags]) as options,
            tempfile.TemporaryDirectory(prefix="push-") as scratch,
        ):
            beside = [] if ALONE in flags else [*map(Path, referrers.split(":"))]
            beside += inputs(beside, Path(scratch)) if INPUTS in flags else []
            announce(Path(layout), destination[0])
            program = Skopeo(skopeo, environment(certificates))
            digest = copy(program, layout, destination, options)
            print(f"{host(destination)}/{destination['name']}@{digest}", flush=True)
            # In another format it is another manifest than the one that they are about.
            if digest == digest_of(Path(layout)):
                put_beside(program, beside, destination, options)
    except ValueError as error:
        print(f"push: {error}.", file=sys.stderr)
        return 2
    except PushError as error:
        print(f"push: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    return 0


def read_destination(arguments: list[str], tag: str) -> re.Match[str]:
    """The parts of the destination, with `tag` where it has none.

    Raises:
        PushError: there is none, or it is none. The sentence does not repeat a destination that may hold a password.
    """
    if not arguments:
        raise PushError(2, f"say where to: {EXAMPLE}.")
    if parts := DESTINATION.fullmatch(arguments[0]):
        return parts if parts["tag"] else read_destination([f"{arguments[0]}:{tag}"], tag)
    if "@" in arguments[0]:
        raise PushError(2, f"a destination has neither credentials nor a digest in it; write {EXAMPLE}.")
    raise PushError(2, f'"{arguments[0]}" is not a destination; write {EXAMPLE}.')


def digest_of(layout: Path) -> str:
    """What the layout holds, by its digest there."""
    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    return str(descriptor["digest"])


def announce(layout: Path, destination: str) -> None:
    """Say what is about to happen."""
    images = images_of(layout, json.loads((layout / "index.json").read_text()))
    # Images may share layers.
    layers = {
        layer["digest"]: layer["size"]
        for image in images
        for layer in read(layout, image["digest"])["layers"]
    }
    of = " and ".join(image["platform"]["architecture"] for image in images)
    print(
        f"push: {len(layers)} layers ({sum(layers.values()) / 1e6:.0f} MB) for {of} to {destination},"
        " except those it has ...",
        file=sys.stderr,
        flush=True,
    )


def images_of(layout: Path, index: dict[str, Any]) -> list[dict[str, Any]]:
    """The descriptors of the images that the index names, or an index that it names."""
    found: list[dict[str, Any]] = []
    for each in index["manifests"]:
        is_index = each["mediaType"].endswith(".index.v1+json")
        found += images_of(layout, read(layout, each["digest"])) if is_index else [each]
    return found


def read(layout: Path, digest: str) -> dict[str, Any]:
    """A JSON document of the layout."""
    document: dict[str, Any] = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return document


def environment(certificates: str) -> dict[str, str]:
    """A machine without certificate authorities of its own gets the package set's."""
    known = "SSL_CERT_FILE" in os.environ or any(map(os.path.exists, SYSTEM_CERTIFICATES))
    return dict(os.environ) if known else {**os.environ, "SSL_CERT_FILE": certificates}


@dataclass(frozen=True)
class Skopeo:
    """The program, and its environment."""

    path: str
    environment: dict[str, str]

    def copy(self, options: list[str], source: str, target: str) -> str:
        """Copy an image. What skopeo's log says meanwhile goes on to stderr. Returns why not, or ""."""
        # A policy says whose images may be read. These come from the Nix store, or are an index that is added to.
        command = [
            self.path,
            "--insecure-policy",
            "--command-timeout",
            TIMEOUT,
            "copy",
            *options,
            source,
            target,
        ]
        reason = ""
        # Of an index it tells even the quiet, on the stdout that is for one line.
        stdout = subprocess.DEVNULL if "--quiet" in options else None
        with subprocess.Popen(
            command, env=self.environment, stdout=stdout, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr
            for line in filter(str.strip, process.stderr):
                if "level=fatal" in line or "level=" not in line:
                    reason = message(line)
                else:
                    sys.stderr.write(line)
        return "" if process.returncode == 0 else reason or f"skopeo ended with {process.returncode}"


def copy(skopeo: Skopeo, layout: str, destination: re.Match[str], options: list[str]) -> str:
    """Copy the image, or the index; return its digest.

    Raises:
        PushError: it was not copied.
    """
    with tempfile.TemporaryDirectory() as scratch:
        digest = Path(scratch, "digest")
        # Without a terminal, skopeo would only list all layers, those too that it skips.
        quiet = [] if sys.stdout.isatty() else ["--quiet"]
        # Of an index, all images, and the index as it is.
        words = [*quiet, "--all", *options, "--digestfile", str(digest)]
        reason = skopeo.copy(words, f"oci:{layout}", destination[0])
        if not reason:
            return digest.read_text().strip()
    raise failure(reason, destination)


def inputs(referrers: list[Path], folder: Path) -> list[Path]:
    """Layouts of what the images are built from. Raises ValueError if it is not all there."""
    layouts = []
    for number, layout in enumerate(referrers):
        layouts.append(folder / str(number))
        with_inputs(layout, layouts[-1])
    return layouts


def put_beside(skopeo: Skopeo, referrers: list[Path], destination: re.Match[str], options: list[str]) -> None:
    """The bills of materials and the provenances. Raises PushError if they are not there."""
    repository = f"docker://{host(destination)}/{destination['name']}"
    for layout in referrers:
        if reason := attach(layout, repository, ["--quiet", *options], skopeo.copy):
            raise PushError(
                6,
                f"the image is in the registry, but not what belongs beside it: {reason}; {ALONE} pushes without.",
            )


def host(destination: re.Match[str]) -> str:
    return f"{destination['host']}{destination['port'] or ''}"


def message(line: str) -> str:
    """The message of a line of skopeo's log, or the line if it is none."""
    found = re.search(r'msg=("(?:[^"\\]|\\.)*"|\S+)', line)
    text = found[1] if found else line.strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def failure(reason: str, destination: re.Match[str]) -> PushError:
    """What skopeo's reason means for who pushes."""
    code, sentence = next(
        meaning for pattern, meaning in FAILURES.items() if re.search(pattern, reason, re.IGNORECASE)
    )
    # At its end is why; before that stands what skopeo was about to do.
    reason = re.sub(r"^.*sha256:[0-9a-f]{64}.*?: ", "", reason)
    reason = re.sub(r'^pinging container registry \S+ (Get "[^"]*": )?', "", reason).rstrip(".")
    return PushError(code, sentence.format(host=host(destination), name=destination["name"], reason=reason))


if __name__ == "__main__":
    sys.exit(main())
