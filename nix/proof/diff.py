"""`nix run .#diff -- OLD NEW [OPTIONS]`: what has changed from one image to another.

OLD and NEW are each an image in a registry (docker://HOST/NAME:TAG or @DIGEST), an archive for `docker load`, an OCI image
layout or an archive of one, a folder with a flake (`.`), or a revision (a commit, branch or tag), which is built from a clone.
On stdout: packages, sizes, what a node must pull, variables and exit codes of the boot.

  --format FORMAT        text, json, or markdown for a pull request; by default text
  --source URL           the repository of revisions; by default that of the current folder
  --output NAME          the image among the flake's outputs; by default `image`
  --platform OS/ARCH     of an index, which image, as in linux/amd64; else this machine's
  --tls-verify=false     for a registry that speaks plain http, or whose certificate is not to be checked

Exit codes: 0 it is said, whether something has changed or not; the others are those of `verify`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import report
from arguments import Arguments, tls_verify
from changes import as_json, changes
from facts import facts
from layers import unpacked
from outcome import Outcome, run
from skopeo import Skopeo
from subject import Reader

FORMATS = {
    "text": report.text,
    "json": lambda found: json.dumps(as_json(found), indent=1),
    "markdown": report.markdown,
}


def main() -> Outcome:
    program, certificates, converter, *words = sys.argv[1:]
    if {"-h", "--help"} & set(words) or not words:
        print(__doc__.strip())
        return Outcome.OK if words else Outcome.USAGE
    options = arguments(words)
    skopeo = Skopeo(program, certificates, options.tls_verify)
    reader = Reader(skopeo, converter, options.source, options.output, options.platform)
    with tempfile.TemporaryDirectory(prefix="diff-") as scratch:
        said = []
        for name, text in (("old", options.old), ("new", options.new)):
            folder = Path(scratch, name)
            image = reader.image(text, folder)
            said.append(facts(image, unpacked(skopeo, image, folder / "layers", text)))
    print(FORMATS[options.format](changes(*said)))
    return Outcome.OK


def arguments(words: list[str]) -> argparse.Namespace:
    """Raises Stop if they are wrong."""
    parser = Arguments()
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--source", default=".")
    parser.add_argument("--output", default="image")
    parser.add_argument("--platform", default="")
    parser.add_argument("--tls-verify", nargs="?", const=True, default=True, type=tls_verify)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(run("diff", main))
