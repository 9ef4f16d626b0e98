"""`push --with-inputs` and `verify --from-registry`: a registry that has all that an image is built from."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.small import Source, git
from tests.registry.conftest import MODULES, OWN, PLAIN, built, run
from tests.registry.test_attached import attach, listed, make_referrers
from tests.registry.test_verify import APPLICATION, BASE, refused, upload, verify

KIND = "application/vnd.nix.inputs"


def layers(other_registry, artifact: dict) -> dict[str, bytes]:
    """What an artifact holds, by title."""
    blobs = other_registry.blobs()
    found = json.loads(blobs[artifact["digest"]])["layers"]
    return {each["annotations"]["org.opencontainers.image.title"]: blobs[each["digest"]] for each in found}


def test_push_stores_all_that_the_provenance_names(other_registry, edited, tmp_path):
    # One image's inputs are enough to see, and half the bytes.
    program = built("image.push", edited.tree) / "bin/push"
    done = run(
        [program, f"docker://{other_registry.host}/inputs/this:1", PLAIN, "--with-inputs"], edited.tree
    )
    assert done.returncode == 0, done.stderr
    beside = {
        each["artifactType"]: each for each in listed(other_registry, "inputs/this", edited.images[OWN])
    }
    (provenance,) = layers(other_registry, beside["application/vnd.in-toto+json"]).values()
    dependencies = json.loads(provenance)["predicate"]["buildDefinition"]["resolvedDependencies"]
    fetched = {each["digest"]["sha256"] for each in dependencies if "sha256" in each["digest"]}
    assert fetched
    assert {f"sha256:{number}" for number in fetched} <= other_registry.blobs().keys()
    # The rest is in the source.
    revision = git(edited.tree, "rev-parse", "HEAD").strip()
    (tmp_path / "bundle").write_bytes(layers(other_registry, beside[KIND])[f"{revision}.bundle"])
    subprocess.run(["git", "clone", "--quiet", tmp_path / "bundle", tmp_path / "clone"], check=True)
    assert git(tmp_path / "clone", "ls-tree", "-r", "HEAD") == git(edited.tree, "ls-tree", "-r", "HEAD")


def test_push_from_elsewhere(edited):
    """The source is what is checked out; of another commit it would be no source."""
    program = subprocess.run(
        [
            sys.executable,
            "-c",
            "from inputs import bundle; from pathlib import Path; bundle('a' * 40, Path('.'))",
        ],
        cwd=edited.tree,
        env=MODULES,
        capture_output=True,
        text=True,
    )
    assert f"the source of revision {'a' * 40} is not what is checked out here" in program.stderr


def nix_store(*arguments: str | Path) -> str:
    return subprocess.run(
        ["nix-store", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def rare(tmp_path) -> list[str]:
    """Store paths that nobody else has: a file, and a folder with a program."""
    if not shutil.which("nix-store"):
        pytest.skip("inputs are added to the Nix store: there is no nix-store")
    name = f"rare-{secrets.token_hex(8)}"
    (tmp_path / f"{name}.txt").write_text(name)
    folder = tmp_path / name
    folder.mkdir()
    (folder / "run").write_text(name)
    (folder / "run").chmod(0o755)
    return [
        nix_store("--add-fixed", "sha256", tmp_path / f"{name}.txt"),
        nix_store("--add-fixed", "--recursive", "sha256", folder),
    ]


def test_nothing_but_the_registry(other_registry, rare, tmp_path):
    """The source and its inputs are there and nowhere else; nixw is told to fetch nothing."""
    source = Source(tmp_path / "source", 'if [ "$NIXW_OFFLINE" != 1 ]; then exit 1; fi\n')
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION))
    image = upload(layout, other_registry, "inputs/all")
    outputs = [
        f'("out","{rare[0]}","sha256","{hashlib.sha256(Path(rare[0]).read_bytes()).hexdigest()}")',
        f'("out","{rare[1]}","r:sha256","{64 * "0"}")',
    ]
    for number, output in enumerate(outputs):
        (tmp_path / f"{number}.drv").write_text(f'Derive([{output}],[],[],"s","b",[],[("name","rare")])')
    needs = ",".join(f'("{tmp_path}/{number}.drv",["out"])' for number in range(2))
    derivation = f'Derive([("out","/i","","")],[{needs}],[],"s","b",[],[("name","image")])'
    referrers = Path(f"{layout.path}-referrers")
    make_referrers(layout.path, b'{"components": []}', referrers, derivation, source.revision)
    code = "import sys; from pathlib import Path; from inputs import with_inputs; with_inputs(*map(Path, sys.argv[1:]))"
    subprocess.run(
        [sys.executable, "-c", code, referrers, tmp_path / "inputs"],
        cwd=source.tree,
        env=MODULES,
        check=True,
    )
    for each in (referrers, tmp_path / "inputs"):
        attach(each, other_registry, "inputs/all")
    nix_store("--delete", *rare)
    shutil.rmtree(source.tree)
    done = verify(image, None, "--from-registry", LAYOUTS=str(source.layouts))
    assert done.returncode == 0, done.stderr
    nix_store("--check-validity", *rare)
    assert os.access(f"{rare[1]}/run", os.X_OK)
    nix_store("--delete", *rare)


def test_registry_that_has_no_inputs(other_registry, tmp_path):
    source = Source(tmp_path / "source")
    layout = source.builds()
    layout.holds(layout.image(BASE))
    make_referrers(layout.path, b'{"components": []}', Path(f"{layout.path}-referrers"))
    image = upload(layout, other_registry, "inputs/none")
    attach(Path(f"{layout.path}-referrers"), other_registry, "inputs/none")
    assert "the registry has no inputs of" in refused(verify(image, source, "--from-registry"), 10)
