"""The images, built from this tree (or from a copy of it) and loaded into the engine."""

from __future__ import annotations

import io
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.container.engine import ARTEFACTS, ROOT, docker

BUILDING = 1800.0  # seconds that a build may take where nothing is in the store yet


def build(output: str, tree: Path | None = None) -> Path:
    """Build one of the flake's outputs; of the copy in `tree`, if given. Returns the store path."""
    say(f"building .#{output}" + (f" of {tree}" if tree else ""))
    ARTEFACTS.mkdir(exist_ok=True)
    link = ARTEFACTS / (f"{tree.name}-{output}" if tree else output)
    flake = f"path:{tree}#{output}" if tree else f".#{output}"
    done = nixw("build", flake, "-o", str(link))
    assert done.returncode == 0, done.stderr
    return link.resolve()


def nixw(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this tree's nixw."""
    return subprocess.run(
        ["./nixw", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path_of_the_machine()},
        capture_output=True,
        text=True,
        timeout=BUILDING,
    )


class SecondBuild:
    """The image once more, by somebody else: a user, a home, a folder and a Nix store of their own.

    It runs beside the tests, at the lowest priority. Only root can be somebody else; others keep their name.
    """

    def __init__(self) -> None:
        # Not in TMPDIR, which may be this user's alone.
        self.folder = Path(tempfile.mkdtemp(prefix="second-build-", dir="/tmp"))
        self.folder.chmod(0o755)
        tree = copy_tree(self.folder / "home/somewhere/else")
        self.store = self.folder / "store"
        self.store.mkdir()
        self._link = self.folder / "home/result"
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        self._log = (self.folder / "log").open("w")
        self._process = subprocess.Popen(
            ["nice", "-n", "19", "./nixw", "build", f"path:{tree}#image", "-o", str(self._link)],
            cwd=tree,
            env={
                "PATH": path_of_the_machine(),
                "HOME": str(self.folder / "home"),
                "TZ": "Asia/Tokyo",
                "NIX_REMOTE": f"local?root={self.store}",
                **{
                    name: os.environ[name]
                    for name in ("NIXW_PACKAGES", "DEBIAN_MIRROR")
                    if name in os.environ
                },
            },
            stdout=self._log,
            stderr=self._log,
            umask=0o077,
            start_new_session=True,
            **user,
        )

    def archive(self) -> Path:
        """Wait for the end; where the archive then lies."""
        assert self._process.wait(BUILDING) == 0, (self.folder / "log").read_text()
        return Path(f"{self.store}{self._link.readlink()}")

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()
        # Nothing in a Nix store is writable.
        subprocess.run(["chmod", "-R", "u+w", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def path_of_the_machine() -> str:
    """PATH without the development shell's entries: nixw looks for the machine's own Python and its pip."""
    return ":".join(each for each in os.environ["PATH"].split(":") if not each.startswith("/nix/store/"))


def load(archive: Path) -> str:
    """Load a built image unless the engine has this very one; return its number, which the name may lose."""
    number, name = described(archive)
    if docker("image", "inspect", "--format", "{{.Id}}", name, check=False) != number:
        say(f"loading {name}")
        docker("load", "--input", str(archive))
    assert docker("image", "inspect", "--format", "{{.Id}}", name) == number
    return number


def load_aside(archive: Path, tag: str) -> str:
    """Load an image under `tag` alone, so that none loses its name to it; return its number."""
    number, _ = described(archive)
    say(f"loading {tag}")
    with tempfile.TemporaryFile() as unnamed:
        with tarfile.open(archive) as source, tarfile.open(fileobj=unnamed, mode="w") as target:
            for member in source:
                file = source.extractfile(member)
                if file and member.name == "manifest.json":
                    (manifest,) = json.load(file)
                    content = json.dumps([{**manifest, "RepoTags": [tag]}]).encode()
                    member.size = len(content)
                    file = io.BytesIO(content)
                target.addfile(member, file)
        unnamed.seek(0)
        subprocess.run(["docker", "load", "--quiet"], stdin=unnamed, check=True, capture_output=True)
    return number


def described(archive: Path) -> tuple[str, str]:
    """The number and the name that the archive itself gives the image."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("manifest.json")
        assert member
        (manifest,) = json.load(member)
    return "sha256:" + Path(manifest["Config"]).name.removesuffix(".json"), manifest["RepoTags"][0]


def copy_tree(target: Path) -> Path:
    """A copy of what Nix sees of this repository: the files that git knows, as they lie there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


def copy_with(target: Path, argument: str) -> Path:
    """Such a copy, whose image is made with one more argument of mkDjangoImage's, in Nix."""
    outputs = copy_tree(target) / "nix/outputs/default.nix"
    text, source = outputs.read_text(), "src = ../../backend;"
    assert text.count(source) == 2  # the other one is the development shell's
    outputs.write_text(text.replace(source, f"{source}\n    {argument}", 1))
    return target


def say(what: str) -> None:
    """Tell whoever waits, around pytest's capture."""
    print(f"[images] {what} ...", file=sys.__stderr__, flush=True)
