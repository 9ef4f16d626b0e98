"""What `diff` can be given: an image in a registry, an archive, an OCI layout, a folder with a flake, or a revision."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import rebuild
from images import Image, Named, in_dir, in_layout
from layers import BROKEN
from outcome import Outcome, Stop, refuse_full_disk, say
from reference import read_reference
from skopeo import Skopeo


@dataclass(frozen=True)
class Reader:
    """How images are got hold of, each in a folder of its own.

    `converter` is the program that makes an OCI layout of an archive for `docker load`.
    """

    skopeo: Skopeo
    converter: str
    source: str
    output: str
    platform: str

    def image(self, text: str, folder: Path) -> Image:
        """The image that `text` means; of an index, that for this machine, if no platform is asked for.

        Raises:
            Stop: there is none, or it cannot be built.
        """
        folder.mkdir()
        images = {each.platform: each for each in self.named(text, folder).images}
        wanted = self.platform or (rebuild.OWN_PLATFORM if len(images) > 1 else next(iter(images), ""))
        if wanted not in images:
            raise Stop(Outcome.NO_IMAGE, f"{text} has no image for {wanted or 'any platform'}.")
        return images[wanted]

    def named(self, text: str, folder: Path) -> Named:
        """What the text means, in a folder that is there. Raises Stop."""
        path = Path(text)
        if text.startswith("docker://"):
            reference = read_reference(text)
            self.skopeo.fetch(
                f"docker://{reference}", folder / "image", str(reference), "--all", "--preserve-digests"
            )
            return in_dir(folder / "image")
        if (path / "index.json").is_file():
            return in_layout(path)
        if path.is_file():
            return in_layout(self.layout_of(path, folder))
        if (path / "flake.nix").is_file():
            return in_layout(self.built(path.resolve(), folder, text))
        return in_layout(self.built(self.checked_out(text, folder), folder, text))

    def layout_of(self, archive: Path, folder: Path) -> Path:
        """The OCI layout in an archive. Raises Stop if it has no image."""
        layout = folder / "layout"
        try:
            with tarfile.open(archive) as content:
                names = content.getnames()
                if "index.json" in names:
                    content.extractall(layout, filter="data")
                    return layout
        except (OSError, *BROKEN) as error:
            refuse_full_disk(str(error))
            raise Stop(Outcome.NO_IMAGE, f"{archive} is no archive of an image: {error}.") from None
        if "manifest.json" not in names:
            raise Stop(
                Outcome.NO_IMAGE,
                f"{archive} is no archive of an image: it has neither manifest.json nor index.json.",
            )
        packed = archive.read_bytes()[:2] == b"\x1f\x8b"
        with (
            gzip.open(archive) if packed else archive.open("rb") as source,
            subprocess.Popen(
                [sys.executable, self.converter, str(layout)],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process,
            ThreadPoolExecutor() as pool,
        ):
            assert process.stdin
            assert process.stderr
            # Meanwhile: a pipe that nobody reads stops who writes to it.
            told = pool.submit(process.stderr.read)
            whole = False
            # A converter that has ended was not given an image.
            with contextlib.suppress(OSError, *BROKEN):
                with process.stdin:
                    shutil.copyfileobj(source, process.stdin)
                whole = True
        refuse_full_disk(told.result().decode(errors="replace"))
        if process.returncode != 0 or not whole:
            raise Stop(Outcome.NO_IMAGE, f"{archive} is no archive of an image.")
        return layout

    def checked_out(self, revision: str, folder: Path) -> Path:
        """A clone of the source at a revision. Raises Stop."""
        source = rebuild.source_at(self.source)
        commit = rebuild.git(
            "-C",
            source.repository,
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{revision}^{{commit}}",
        )
        if commit.returncode != 0 and not rebuild.COMMIT.fullmatch(revision):
            raise Stop(
                Outcome.USAGE,
                f'"{revision}" is neither an image nor a folder with one, nor a revision of {rebuild.shown(source)}.',
            )
        rebuild.clone(source, commit.stdout.strip() or revision, folder / "source")
        return folder / "source" / source.folder

    def built(self, tree: Path, folder: Path, text: str) -> Path:
        """The layout that the flake in a folder builds. Raises Stop."""
        say("diff", f"building {text} ...")
        return rebuild.build(
            tree, f"{rebuild.attribute(self.output, self.platform)}.oci", folder / "result", {}
        )
