"""The registries, and the images of this tree and of an edited one in the first of them."""

from __future__ import annotations

import base64
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.registry import Registry
from tests.container.engine import ROOT
from tests.container.images import BUILDING, build, copy_tree, path_of_the_machine
from tests.container.lab import remove_all
from tests.container.needs import need, need_engine
from tests.proof.small import commit
from tests.running import hear_signals

NAME = "team/backend"
# This machine's architecture, as images call it.
OWN = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
PLAIN = "--dest-tls-verify=false"
ALONE = "--no-referrers"
# The edit, and what it changes that can be seen from without.
EDITED, BEFORE, AFTER = "backend/core/health.py", '"no-store"', '"no-store, no-cache"'


@dataclass(frozen=True)
class Pushed:
    """Images in a registry under one index, without what belongs beside them: what moved, and the layout that it came from."""

    reference: str
    uploads: list[str]
    layout: Path
    tree: Path | None

    def blobs(self) -> dict[str, bytes]:
        """What the layout holds, by digest."""
        files = (self.layout / "blobs/sha256").iterdir()
        return {f"sha256:{file.name}": file.read_bytes() for file in files}

    def document(self, digest: str) -> dict[str, Any]:
        return json.loads((self.layout / "blobs" / digest.replace(":", "/")).read_bytes())

    @property
    def digest(self) -> str:
        """The index's."""
        (descriptor,) = json.loads((self.layout / "index.json").read_text())["manifests"]
        return descriptor["digest"]

    @property
    def images(self) -> dict[str, str]:
        """The digest of each image's manifest, by architecture."""
        found = self.document(self.digest)["manifests"]
        return {each["platform"]["architecture"]: each["digest"] for each in found}

    @property
    def manifests(self) -> list[dict[str, Any]]:
        return [self.document(digest) for digest in self.images.values()]

    @property
    def layers(self) -> set[str]:
        """Those of all images, of which some are shared."""
        return {layer["digest"] for manifest in self.manifests for layer in manifest["layers"]}

    def blobs_of(self, architecture: str) -> set[str]:
        """Layers and configuration of one image."""
        manifest = self.document(self.images[architecture])
        return {each["digest"] for each in (manifest["config"], *manifest["layers"])}

    @property
    def configs(self) -> set[str]:
        return {manifest["config"]["digest"] for manifest in self.manifests}


# Where the parts of `push` import each other.
FOLDERS = ("nix/image/push", "nix/image/referrers", "nix/registry")
MODULES = {**os.environ, "PYTHONPATH": ":".join(str(ROOT / folder) for folder in FOLDERS)}


def push(
    destination: str, *options: str, tree: Path | None = None, env: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    """`nix run .#push`, as the documentation has it."""
    return run(["./nixw", "run", ".#push", "--", destination, *options], tree or ROOT, env)


def run(
    command: list[str | Path], tree: Path, env: Mapping[str, str] = {}
) -> subprocess.CompletedProcess[str]:
    """A command in a tree, as on the machine itself; with nobody's credentials unless `env` says whose."""
    environment = {**os.environ, "PATH": path_of_the_machine(), "REGISTRY_AUTH_FILE": "/nonexistent", **env}
    return subprocess.run(
        command,
        cwd=tree,
        env={name: value for name, value in environment.items() if value},
        capture_output=True,
        text=True,
        timeout=BUILDING,
    )


def built(output: str, tree: Path | None) -> Path:
    """A store path; of a repository in `tree`, as its own nixw builds it: the image's label is its commit."""
    if not tree:
        return build(output)
    link = tree.with_name(f"{tree.name}-{output}")
    environment = {**os.environ, "PATH": path_of_the_machine()}
    command = ["./nixw", "build", f".#{output}", "-o", str(link)]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=BUILDING
    )
    assert done.returncode == 0, done.stderr
    return link.resolve()


def pushed(registry: Registry, tag: str, tree: Path | None = None) -> Pushed:
    layout = built("oci-index", tree)
    before = len(registry.uploads())
    done = push(f"docker://{registry.host}/{NAME}:{tag}", PLAIN, ALONE, tree=tree)
    assert done.returncode == 0, done.stderr
    return Pushed(done.stdout.strip(), registry.uploads()[before:], layout, tree)


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    hear_signals()


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    need("docker-registry", "docker-registry")


@pytest.fixture(scope="session")
def registry(tmp_path_factory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")).running() as running:
        yield running


@pytest.fixture(scope="session")
def other_registry(tmp_path_factory) -> Iterator[Registry]:
    """For images of all kinds, so that in the first there is only what `first` and `edited` have moved there."""
    with Registry(tmp_path_factory.mktemp("other-registry")).running() as running:
        yield running


@pytest.fixture(scope="session")
def first(registry) -> Pushed:
    """This tree's images, in an empty registry."""
    return pushed(registry, "1.0")


@pytest.fixture(scope="session")
def edited(registry, first, tmp_path_factory) -> Pushed:
    """The images after an edit of one line, committed, in the registry that has the first."""
    tree = copy_tree(tmp_path_factory.mktemp("edited"))
    source = (tree / EDITED).read_text()
    assert source.count(BEFORE) == 1
    (tree / EDITED).write_text(source.replace(BEFORE, AFTER))
    commit(tree)
    return pushed(registry, "1.1", tree)


@pytest.fixture
def engine() -> Iterator[None]:
    need_engine()
    yield
    remove_all()


@pytest.fixture
def own_registry(tmp_path) -> Registry:
    """A registry for one test, to be run with settings of its own."""
    return Registry(tmp_path)


@pytest.fixture
def credentials(tmp_path) -> Callable[[str, str], Path]:
    """Writes a file of credentials as `docker login` does: of a registry, "user:password"."""

    def write(host: str, user: str) -> Path:
        file = tmp_path / ".docker/config.json"
        file.parent.mkdir(exist_ok=True)
        encoded = base64.b64encode(user.encode()).decode()
        file.write_text(json.dumps({"auths": {host: {"auth": encoded}}}))
        return file

    return write
