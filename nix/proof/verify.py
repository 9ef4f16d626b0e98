"""`nix run .#verify -- docker://HOST/NAME@DIGEST [OPTIONS]`: is this image what its revision builds?

It reads the image's label `revision`, builds that revision from a clone, and compares. On stdout: that they agree, in one
line. Otherwise one sentence on stderr says why not.

  --key FILE             it must be signed, too, and what is attested of it: by the private half of this public key
  --source URL           the repository to clone; by default that of the current folder
  --output NAME          the image among the flake's outputs; by default `image`
  --from-registry        build it from what `push --with-inputs` has put beside it, the source included
  --no-referrers         do not look for its bill of materials and its provenance, which a push puts beside it
  --platform OS/ARCH     of an index, only this image, as in linux/amd64
  --tls-verify=false     for a registry that speaks plain http, or whose certificate is not to be checked

Exit codes: 0 they agree; 6 they differ; 7 it cannot be built, so nothing is known; 8 it is not
signed, 9 it is signed by another key; 10 beside it lies not what its revision builds; 2 an argument is wrong, 3 the registry
cannot be reached, 4 it refuses the credentials, 5 it has no such image, 1 another reason; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import compare
import rebuild
from arguments import Arguments, tls_verify
from attached import check_attached, check_attestations
from facts import distribution
from images import Image, Named, in_dir, in_layout
from layers import unpacked
from outcome import FullDisk, Outcome, Stop, run, say
from reference import Reference, read_reference
from restore import fetch_inputs
from signature import signed_by
from skopeo import Skopeo

LABEL = "org.opencontainers.image.revision"


def main() -> Outcome:
    program, certificates, *words = sys.argv[1:]
    if {"-h", "--help"} & set(words) or not words:
        print(__doc__.strip())
        return Outcome.OK if words else Outcome.USAGE
    options = arguments(words)
    reference = read_reference(options.image)
    skopeo = Skopeo(program, certificates, options.tls_verify)
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        folder = Path(scratch)
        signed = signed_by(options.key, folder / "policy") if options.key else ([], None)
        found = fetched(skopeo, reference, folder / "image", *signed)
        images = chosen(found, options.platform, reference)
        revision = revision_of(images, reference)
        source = options.source
        if options.from_registry:
            say("verify", "fetching what it is built from ...")
            for image in images:
                source = str(
                    fetch_inputs(
                        skopeo, reference, image.digest, folder / f"inputs-{image.digest[7:]}", *signed
                    )
                )
            # Nothing is to come from elsewhere.
            os.environ["NIXW_OFFLINE"] = "1"
        tree = cloned(source, revision, folder / "source")
        layers = {image: layers_of(skopeo, image, revision, folder) for image in images}
        sets = {image: environment_of(layers[image]) for image in images}
        same = []
        for image in images:
            built = rebuilt(image, tree, options.output, revision, folder, sets[image])
            same.append(agrees(skopeo, image, layers[image], built, revision, folder))
        for image in images if all(same) and not options.no_referrers else []:
            number = image.digest.removeprefix("sha256:")
            link = folder / f"referrers-{number}"
            if beside := referrers(tree, options.output, image, link, sets[image]):
                check_attached(skopeo, reference, image.digest, beside, folder / f"beside-{number}", *signed)
                if options.key:
                    attested = folder / f"attested-{number}"
                    check_attestations(skopeo, reference, image.digest, beside, attested, options.key)
    packed = "" if all(same) else ": the same configuration and layers, packed otherwise"
    key = f", and is signed by {options.key}" if options.key else ""
    print(f"{reference.at(found.digest)} is what {revision} builds, bit for bit{packed}{key}.")
    return Outcome.OK


def arguments(words: list[str]) -> argparse.Namespace:
    """Raises Stop if they are wrong."""
    parser = Arguments()
    parser.add_argument("image")
    parser.add_argument("--key", default="")
    parser.add_argument("--source", default=".")
    parser.add_argument("--output", default="image")
    parser.add_argument("--from-registry", action="store_true")
    parser.add_argument("--no-referrers", action="store_true")
    parser.add_argument("--platform", default="")
    parser.add_argument("--tls-verify", nargs="?", const=True, default=True, type=tls_verify)
    return parser.parse_args(words)


def fetched(
    skopeo: Skopeo, reference: Reference, folder: Path, options: list[str], policy: Path | None
) -> Named:
    """All of what the reference names. Raises Stop; that digests are kept is skopeo's doing, and looked at here."""
    copy = ("--all", "--preserve-digests", *options)
    skopeo.fetch(f"docker://{reference}", folder, str(reference), *copy, policy=policy)
    found = in_dir(folder)
    if reference.digest not in ("", found.digest):
        raise Stop(Outcome.DIFFERS, f"the registry answers {reference} with {found.digest}.")
    return found


def chosen(found: Named, platform: str, reference: Reference) -> list[Image]:
    """The images to look at. Raises Stop if there is none."""
    images = [image for image in dict.fromkeys(found.images) if platform in ("", image.platform)]
    if not images:
        raise Stop(Outcome.NO_IMAGE, f"{reference} has no image for {platform or 'any platform'}.")
    return images


def revision_of(images: list[Image], reference: Reference) -> str:
    """The commit that the image says it is built from. Raises Stop if that is none that others can build."""
    revisions = {image.labels.get(LABEL, "") for image in images}
    if len(revisions) > 1:
        raise Stop(
            Outcome.DIFFERS,
            f"the images of {reference} are of several revisions: {', '.join(sorted(revisions))}.",
        )
    revision = revisions.pop()
    if not revision:
        raise Stop(
            Outcome.NOT_BUILT, f"{reference} does not say which revision it is: it has no label {LABEL}."
        )
    if revision == "dirty" or revision.endswith("-dirty"):
        raise Stop(
            Outcome.NOT_BUILT,
            f"{reference} was built from a tree with changes that are in no commit ({revision}), so nobody else can"
            " build it: commit, and push again.",
        )
    if not rebuild.COMMIT.fullmatch(revision):
        raise Stop(Outcome.NOT_BUILT, f"the revision of {reference} is no commit of git: {revision[:100]!r}.")
    return revision


def cloned(address: str, revision: str, folder: Path) -> Path:
    """The folder of the flake in a clone at that revision. Raises Stop."""
    source = rebuild.source_at(address)
    rebuild.clone(source, revision, folder)
    tree = folder / source.folder
    if not (tree / "flake.nix").exists():
        raise Stop(Outcome.NOT_BUILT, f"revision {revision} of {rebuild.shown(source)} has no flake.nix.")
    return tree


def layers_of(skopeo: Skopeo, image: Image, revision: str, folder: Path) -> list[Path]:
    """The image's layers, unpacked. Raises Stop."""
    try:
        return unpacked(skopeo, image, folder / f"theirs-{image.digest[7:]}", "the image")
    except FullDisk:
        raise
    except Stop as stop:
        raise Stop(
            Outcome.DIFFERS, f"{differs(image, revision)} a layer cannot be unpacked: {stop}"
        ) from None


def rebuilt(
    image: Image, tree: Path, output: str, revision: str, folder: Path, environment: dict[str, str]
) -> Image:
    """Build the image again. Raises Stop if it cannot be built."""
    say("verify", f"building {revision} for {image.platform} ...")
    name = f"{rebuild.attribute(output, image.platform)}.oci"
    layout = rebuild.build(tree, name, folder / f"result-{image.digest[7:]}", environment)
    built = next((each for each in in_layout(layout).images if each.platform == image.platform), None)
    if built is None:
        raise Stop(Outcome.NOT_BUILT, f"{revision} builds no image for {image.platform} here.")
    return built


def agrees(
    skopeo: Skopeo, image: Image, theirs: list[Path], built: Image, revision: str, folder: Path
) -> bool:
    """Whether an image and what was built are the same down to their manifests, else at least unpacked.

    Args:
        theirs: the image's layers, unpacked.

    Raises:
        Stop: they differ; the sentence says where.
    """
    if built.digest == image.digest:
        return True
    ours = unpacked(skopeo, built, folder / f"ours-{image.digest[7:]}", "what was built")
    if reason := compare.difference(theirs, ours) or compare.configuration(image.config, built.config):
        raise Stop(Outcome.DIFFERS, f"{differs(image, revision)} {reason}.")
    if image.config_digest != built.config_digest:
        raise Stop(Outcome.DIFFERS, f"{differs(image, revision)} its configuration is written otherwise.")
    return False


def referrers(tree: Path, output: str, image: Image, link: Path, environment: dict[str, str]) -> Path | None:
    """The layout of what belongs beside the image; None if it is of a revision that builds nothing of that kind."""
    name = f"{rebuild.attribute(output, image.platform)}.referrers"
    try:
        # That there is none is no error to be told.
        return rebuild.build(tree, name, link, environment, quiet=True)
    except Stop as stop:
        if "does not provide attribute" in str(stop):
            return None
        raise


def differs(image: Image, revision: str) -> str:
    return f"the image for {image.platform} is not what {revision} builds:"


def environment_of(layers: list[Path]) -> dict[str, str]:
    """Of which package set an image was made, for nixw: that of Debian's packages, or nixpkgs, which has nobody's.

    It is only where to begin: made of the other one, the digests differ. What the image does not say, nixw chooses.
    """
    try:
        found = {"debian": "debian", "linux": "nixpkgs"}.get(distribution(layers))
    except Stop:  # no layers of an image, which shows when it is compared
        found = None
    return {"NIXW_PACKAGES": os.environ.get("NIXW_PACKAGES") or found} if found else {}


if __name__ == "__main__":
    sys.exit(run("verify", main))
