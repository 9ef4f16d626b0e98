"""`nix run .#push -- DESTINATION [OPTIONS]`: an image, or an index of images for several architectures, into a registry.

Beside it go its bill of materials and its provenance, but for --no-referrers.
With --with-inputs, so does all that it is built from.
With --sign KEY all of it is signed as cosign would do it. KEY is a file, and COSIGN_PASSWORD its passphrase; or a key in a token,
pkcs11:token=NAME;id=%01?module-path=FILE, and COSIGN_PKCS11_PIN the token's PIN.
DESTINATION is docker://HOST[:PORT]/NAME[:TAG]; without a tag it gets the project's version. OPTIONS are those of `skopeo copy`.
Credentials are those of `docker login`, `podman login` and `skopeo login`, or of the file that REGISTRY_AUTH_FILE names.
On stdout: progress, if that is a terminal; last, what was pushed as HOST/NAME@DIGEST.

Exit codes: 0 pushed; 1 the copy failed for another reason than these: 2 the destination or an option is wrong,
3 the registry cannot be reached, or is none, 4 it refuses the credentials, or got none, 5 the key
cannot be used, 6 it is pushed, but not what belongs beside it; 130 interrupted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beside import put_beside
from errors import PushError, Unusable
from inputs import with_inputs
from names import HOST, NAME, TAG
from repository import Repository
from skopeo_call import TIMEOUT, Reason, because, environment, message, reason_of

if TYPE_CHECKING:
    from signing import Signer

DESTINATION = re.compile(rf"docker://(?P<host>{HOST})/(?P<name>{NAME})(?P<tag>:{TAG})?", re.ASCII)
EXAMPLE = "docker://HOST/NAME:TAG, as in docker://registry.example.com/team/backend:1.0"

# The option to push the image and nothing beside it.
ALONE = "--no-referrers"
# And that to push all that it is built from.
INPUTS = "--with-inputs"

# What skopeo's reasons are for who pushes: exit code and sentence.
FAILURES = {
    Reason.OPTIONS: (
        2,
        "skopeo does not take these options ({reason}); `skopeo copy --help` lists those it takes.",
    ),
    Reason.DENIED: (
        4,
        "{host} does not let you write {name} ({reason}); log in as somebody who may (`docker login {host}`), or name "
        + "a file of credentials with REGISTRY_AUTH_FILE.",
    ),
    Reason.PLAIN_HTTP: (3, "{host} speaks plain http; if that is meant to be, add --dest-tls-verify=false."),
    Reason.CERTIFICATE: (
        3,
        "{host} has no certificate that this machine trusts ({reason}); name its authority's with SSL_CERT_FILE.",
    ),
    Reason.TIMEOUT: (3, f"{{host}} did not take {{name}} within {TIMEOUT}; is it stuck?"),
    Reason.UNREACHABLE: (3, "{host} cannot be reached: {reason}."),
}
OTHERWISE = (1, "the image was not copied to {host}: {reason}.")


def main() -> int:
    skopeo, layout, referrers, certificates, tag, *arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    try:
        destination = read_destination(arguments, tag)
        options, key = without_key(arguments[1:])
        flags = {ALONE, INPUTS} & set(options)
        options = [word for word in options if word not in flags]
        signer = read_signer(key) if key else None
        with tempfile.TemporaryDirectory(prefix="push-") as scratch:
            beside = [] if ALONE in flags else [*map(Path, referrers.split(":"))]
            beside += inputs(beside, Path(scratch)) if INPUTS in flags else []
            announce(Path(layout), destination[0])
            program = Skopeo(skopeo, environment(certificates))
            digest = copy(program, layout, destination, options)
            print(f"{destination['host']}/{destination['name']}@{digest}", flush=True)
            address = f"docker://{destination['host']}/{destination['name']}"
            repository = Repository(address, options, program.copy)
            put_beside(repository, Path(layout), digest, destination["tag"], beside, signer)
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


def without_key(options: list[str]) -> tuple[list[str], str]:
    """The options but for `--sign KEY` or `--sign=KEY`, and the key, or "".

    Raises:
        ValueError: --sign has no key.
    """
    plain, key = [], ""
    words = iter(options)
    for word in words:
        if word == "--sign" or word.startswith("--sign="):
            key = word.removeprefix("--sign=") if "=" in word else next(words, "")
            if not key:
                raise ValueError(
                    "--sign wants a key: --sign cosign.key, or --sign 'pkcs11:token=NAME;id=%01'"
                )
        else:
            plain.append(word)
    return plain, key


def read_signer(key: str) -> Signer:
    """What signs with the key.

    Raises:
        ValueError: it is not named as keys are, or nobody can be asked for its passphrase.
        PushError: it cannot be used.
    """
    try:
        from signing import read_signer

        return read_signer(key)
    except ModuleNotFoundError:
        why = "the Debian set's lock is older than what signs: run `nixw relock`"
    except Unusable as error:
        why = str(error)
    raise PushError(5, f"the key cannot be used: {why}. Nothing was sent.")


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


def failure(words: str, destination: re.Match[str]) -> PushError:
    """What skopeo's last words mean for who pushes."""
    code, sentence = FAILURES.get(reason_of(words), OTHERWISE)
    host, name = destination["host"], destination["name"]
    return PushError(code, sentence.format(host=host, name=name, reason=because(words)))


if __name__ == "__main__":
    sys.exit(main())
