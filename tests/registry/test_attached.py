"""What a push puts beside an image: a bill of materials and a provenance, and what `verify` says if they are others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.engine import ROOT
from tests.proof.small import Source, git
from tests.registry.conftest import MODULES, OWN, PLAIN, built, push, run
from tests.registry.test_verify import APPLICATION, BASE, refused, upload, verify

KINDS = {"application/vnd.cyclonedx+json", "application/vnd.in-toto+json"}


def listed(other_registry, name: str, digest: str) -> list[dict]:
    """What the tag of the image's digest lists, from the registry's files."""
    tag = other_registry.tags(name)[digest.replace(":", "-")]
    return json.loads(other_registry.blobs()[tag])["manifests"]


@pytest.fixture(scope="module")
def complete(other_registry, edited) -> str:
    """The image of a commit, pushed as documented; where it is, by digest."""
    done = push(f"docker://{other_registry.host}/attached/this:1", PLAIN, tree=edited.tree)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_push_puts_them_beside(other_registry, edited, complete, architecture):
    """Each has the image as its subject, and is byte for byte what was built."""
    assert complete == f"{other_registry.host}/attached/this@{edited.digest}"
    image = edited.images[architecture]
    found = listed(other_registry, "attached/this", image)
    assert {each["artifactType"] for each in found} == KINDS
    layout = built(f"image-{architecture}.referrers", edited.tree)
    blobs = other_registry.blobs()
    for each in found:
        manifest = json.loads(blobs[each["digest"]])
        assert manifest["subject"]["digest"] == image
        (layer,) = manifest["layers"]
        for digest in (each["digest"], layer["digest"]):
            assert blobs[digest] == (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()


def test_provenance_names_image_and_commit(other_registry, edited, complete):
    image = edited.images[OWN]
    (found,) = [
        each for each in listed(other_registry, "attached/this", image) if "in-toto" in each["artifactType"]
    ]
    blobs = other_registry.blobs()
    (layer,) = json.loads(blobs[found["digest"]])["layers"]
    statement = json.loads(blobs[layer["digest"]])
    assert statement["subject"][0]["digest"] == {"sha256": image.removeprefix("sha256:")}
    commit = {"gitCommit": git(edited.tree, "rev-parse", "HEAD").strip()}
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert commit in [each["digest"] for each in dependencies]


def test_push_again_moves_nothing(other_registry, edited, complete):
    uploads, stored = other_registry.uploads(), other_registry.blobs()
    done = push(f"docker://{other_registry.host}/attached/this:again", PLAIN, tree=edited.tree)
    assert (done.returncode, done.stdout.strip()) == (0, complete), done.stderr
    assert (other_registry.uploads(), other_registry.blobs()) == (uploads, stored)


def test_the_whole_is_verified(edited, complete):
    """As documented: from the label, by the source's own nixw, from a clone."""
    command = ["./nixw", "run", ".#verify", "--", f"docker://{complete}", "--tls-verify=false"]
    done = run(command, edited.tree)
    assert done.returncode == 0, done.stderr
    revision = git(edited.tree, "rev-parse", "HEAD").strip()
    assert done.stdout == f"{complete} is what {revision} builds, bit for bit.\n"


@pytest.fixture
def source(tmp_path) -> Source:
    """The source of a small image, and of what belongs beside it."""
    source = Source(tmp_path / "source")
    layout = source.builds()
    layout.holds(layout.image(BASE, APPLICATION))
    make_referrers(layout.path, b'{"components": []}', Path(f"{layout.path}-referrers"))
    return source


NOTHING = 'Derive([("out","/nix/store/x-image","","")],[],[],"s","b",[],[("name","image")])'


def make_referrers(
    layout: Path, sbom: bytes, out: Path, derivation: str = NOTHING, revision: str | None = None
) -> None:
    """The program that makes them; the derivation needs nothing, if it is not said."""
    folder = out.parent
    (folder / "sbom").write_bytes(sbom)
    (folder / "drv").write_text(derivation)
    project = {"name": "small", "revision": revision, "source": None, "system": "x86_64-linux"}
    command = [
        sys.executable,
        ROOT / "nix/image/referrers/referrers.py",
        layout,
        folder / "sbom",
        folder / "drv",
    ]
    subprocess.run([*command, json.dumps(project), out], check=True, env=MODULES)


def attach(layout: Path, other_registry, name: str) -> str:
    """The program that puts them beside an image; what it says."""
    code = (
        "import subprocess, sys; from pathlib import Path\n"
        "from attach import attach; from lists import add_all; from repository import Repository\n"
        "def copy(options, source, target):\n"
        "    command = ['skopeo', '--insecure-policy', 'copy', *options, source, target]\n"
        "    return subprocess.run(command, capture_output=True, text=True).stderr\n"
        "add_all(attach(Path(sys.argv[1]), Repository(sys.argv[2], ['--dest-tls-verify=false'], copy)))\n"
    )
    command = [sys.executable, "-c", code, layout, f"docker://{other_registry.host}/{name}"]
    done = subprocess.run(command, env=MODULES, capture_output=True, text=True)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


def test_verify_compares_them(other_registry, source):
    layout = source.builds()
    image = upload(layout, other_registry, "attached/right")
    assert attach(Path(f"{layout.path}-referrers"), other_registry, "attached/right") == ""
    done = verify(image, source)
    assert done.returncode == 0, done.stderr


def test_attached_again_nothing_moves(other_registry, source):
    layout = source.builds()
    upload(layout, other_registry, "attached/again")
    attach(Path(f"{layout.path}-referrers"), other_registry, "attached/again")
    before, uploads = other_registry.blobs(), other_registry.uploads()
    attach(Path(f"{layout.path}-referrers"), other_registry, "attached/again")
    assert (other_registry.blobs(), other_registry.uploads()) == (before, uploads)


def test_what_others_have_put_there_stays(other_registry, source, tmp_path):
    layout = source.builds()
    image = upload(layout, other_registry, "attached/more")
    make_referrers(layout.path, b'{"components": [], "serialNumber": "theirs"}', tmp_path / "theirs")
    for each in (tmp_path / "theirs", Path(f"{layout.path}-referrers")):
        attach(each, other_registry, "attached/more")
    assert len(listed(other_registry, "attached/more", image.partition("@")[2])) == 4
    assert verify(image, source).returncode == 0


def test_what_is_no_list_of_them_stays(other_registry, source):
    """Somebody has pushed an image by the name that the list would have."""
    layout = source.builds()
    digest = upload(layout, other_registry, "attached/image").partition("@")[2]
    tag = digest.replace(":", "-")
    reference = f"docker://{other_registry.host}/attached/image"
    copy = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    subprocess.run([*copy, f"{reference}:1", f"{reference}:{tag}"], check=True, capture_output=True)
    said = attach(Path(f"{layout.path}-referrers"), other_registry, "attached/image")
    assert said.splitlines()[-1] == f"errors.NotCopied: what is called {tag} is no index"
    assert other_registry.tags("attached/image")[tag] == digest


def test_registry_that_has_nothing_beside_it(other_registry, source):
    image = upload(source.builds(), other_registry, "attached/none")
    sentence = refused(verify(image, source), 10)
    assert "has neither bill of materials nor provenance" in sentence
    assert verify(image, source, "--no-referrers").returncode == 0


def test_another_bill_of_materials(other_registry, source, tmp_path):
    layout = source.builds()
    image = upload(layout, other_registry, "attached/other")
    make_referrers(layout.path, b'{"components": [{"name": "nothing-to-see"}]}', tmp_path / "theirs")
    attach(tmp_path / "theirs", other_registry, "attached/other")
    assert "its bill of materials sha256:" in refused(verify(image, source), 10)


def test_registry_that_has_forgotten_them(own_registry, source):
    """It collects what no tag names, as some do, but keeps the list."""
    with own_registry.running() as running:
        layout = source.builds()
        image = upload(layout, running, "attached/gone")
        attach(Path(f"{layout.path}-referrers"), running, "attached/gone")
        for each in listed(running, "attached/gone", image.partition("@")[2]):
            revisions = (
                running.folder / "storage/docker/registry/v2/repositories/attached/gone/_manifests/revisions"
            )
            (revisions / each["digest"].replace(":", "/") / "link").unlink()
        assert "but has it no more" in refused(verify(image, source), 10)
