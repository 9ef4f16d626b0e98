"""`nix run .#diff`: what it finds in images, and how it says that."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import facts
from changes import Change, as_json, changed, changes
from entrypoint.errors import ExitCode
from entrypoint.variables import VARIABLES, Kind
from facts import Facts
from tests.proof.small import Layout

ROOT = Path(__file__).parents[2]
MODULES = {**os.environ, "PYTHONPATH": str(ROOT / "nix/registry")}
ENTRYPOINT = "nix/store/" + 32 * "e" + "-entrypoint/entrypoint"
SBOM = "usr/share/sbom/shop.cdx.json"


def diff(old: Path | str, new: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    programs = ["skopeo", "/nonexistent", ROOT / "nix/image/oci.py"]
    return subprocess.run(
        [sys.executable, ROOT / "nix/proof/diff.py", *programs, old, new, *options],
        env=MODULES,
        capture_output=True,
        text=True,
        timeout=300,
    )


def told(old: Path, new: Path) -> dict[str, Any]:
    done = diff(old, new, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_variables_are_the_entrypoints():
    """Read without running it: every name, and every default."""
    found = facts.variables((ROOT / "entrypoint/variables.py").read_bytes())
    assert {name: text.partition(", default ")[2] for name, text in found.items()} == {
        variable.name: variable.default or "none" for variable in VARIABLES
    }
    for variable in VARIABLES:
        if variable.kind == Kind.INTEGER:
            assert found[variable.name].startswith(f"{variable.low} to {variable.high}, ")


def test_exit_codes_are_the_entrypoints():
    found = facts.exit_codes((ROOT / "entrypoint/errors.py").read_bytes())
    assert found == {str(code.value): code.name for code in ExitCode}


@pytest.mark.parametrize("prefix", ["", "./", "/"])
def test_names_are_read_as_tar_means_them(tmp_path, prefix):
    """Builders write them one way or another: nixpkgs' store paths begin with a slash."""
    image = Layout(tmp_path / "image")
    code = (ROOT / "entrypoint/errors.py").read_bytes()
    image.holds(
        image.image({prefix + SBOM: sbom(deb("libc6", "1"))}, {f"{prefix}{ENTRYPOINT}/errors.py": code})
    )
    found = told(image.path, image.path)
    assert (found["packages"], found["exit_codes"]) == ([], [])


def sbom(*components: dict[str, str]) -> bytes:
    return json.dumps({"components": components}).encode()


def deb(name: str, version: str) -> dict[str, str]:
    return {"name": name, "version": version, "purl": f"pkg:deb/debian/{name}@{version}?arch=amd64"}


@pytest.fixture
def two(tmp_path) -> tuple[Path, Path]:
    """A release of an image, and the next."""
    base = {"nix/store/base": b"base" * 1000}
    old, new = (
        Layout(tmp_path / "old"),
        Layout(tmp_path / "new", labels={"org.opencontainers.image.version": "2"}),
    )
    variable = b"VARIABLES = (Variable('PORT', Kind.INTEGER, '%s', 'Where.', low=1, high=9),)\n"
    codes = b"class ExitCode(IntEnum):\n    OK = 0\n"
    old.holds(
        old.image(
            base,
            {
                SBOM: sbom(deb("libc6", "2.41"), deb("openssl", "3.5"), {"name": "tool", "version": "1"}),
                f"{ENTRYPOINT}/variables.py": variable % b"1",
                f"{ENTRYPOINT}/errors.py": codes,
            },
        )
    )
    new.holds(
        new.image(
            base,
            {
                SBOM: sbom(deb("libc6", "2.42"), deb("zlib1g", "1.3"), {"name": "tool", "version": "1"}),
                f"{ENTRYPOINT}/variables.py": variable % b"2",
                f"{ENTRYPOINT}/errors.py": codes + b"    LATE = 22\n",
            },
        )
    )
    return old.path, new.path


def test_changes(two):
    found = told(*two)
    assert found["packages"] == [
        {"name": "pkg:deb/debian/libc6", "old": "2.41", "new": "2.42"},
        {"name": "pkg:deb/debian/openssl", "old": "3.5", "new": None},
        {"name": "pkg:deb/debian/zlib1g", "old": None, "new": "1.3"},
    ]
    assert found["variables"] == [
        {"name": "PORT", "old": "1 to 9, default 1", "new": "1 to 9, default 2"},
    ]
    assert found["exit_codes"] == [{"name": "22", "old": None, "new": "LATE"}]
    assert found["old"]["unpacked"] > 4000  # the base layer's one file
    assert found["old"]["unpacked"] - 4000 < 1000
    assert (found["old"]["version"], found["new"]["version"]) == ("", "2")


def test_what_a_node_pulls(two):
    """The layers that it lacks, and the configuration, as many bytes as their blobs have."""
    old, new = (
        {file.name: file.stat().st_size for file in (each / "blobs/sha256").iterdir()} for each in two
    )
    (manifest,) = json.loads((two[1] / "index.json").read_text())["manifests"]
    lacking = sum(size for name, size in new.items() if name not in old and name != manifest["digest"][7:])
    assert told(*two)["pull"] == {"layers": 1, "bytes": lacking}
    assert told(two[0], two[0])["pull"] == {"layers": 0, "bytes": 0}


def test_text(two):
    lines = [line.strip() for line in diff(*two).stdout.splitlines()]
    assert "pkg:deb/debian/libc6: 2.41 -> 2.42" in lines
    assert "- pkg:deb/debian/openssl (3.5)" in lines
    assert "+ 22 (LATE)" in lines


def test_markdown(two):
    """A table for each, with as many cells in each row."""
    done = diff(*two, "--format", "markdown")
    assert "| `pkg:deb/debian/libc6` | `2.41` | `2.42` |" in done.stdout.splitlines()
    assert {line.count("|") for line in done.stdout.splitlines() if line.startswith("|")} == {4}


def test_names_from_an_image_steer_nothing(tmp_path):
    layouts = []
    for name in ("a|b`\x1b[31m", "x"):
        layouts.append(Layout(tmp_path / str(len(layouts))))
        layouts[-1].holds(layouts[-1].image({SBOM: sbom({"name": name, "version": "1"})}))
    for form in ("text", "markdown"):
        done = diff(layouts[0].path, layouts[1].path, "--format", form)
        assert "\x1b" not in done.stdout
        assert {line.count("|") for line in done.stdout.splitlines() if line.startswith("|")} <= {4}


def test_an_image_that_says_nothing_of_itself(tmp_path, two):
    layout = Layout(tmp_path / "plain")
    layout.holds(
        layout.image({SBOM: b"{", f"{ENTRYPOINT}/errors.py": b"class ExitCode(IntEnum): pass; f(\n"})
    )
    found = told(two[0], layout.path)
    assert (found["packages"], found["variables"], found["exit_codes"]) == (None, None, None)
    assert "one of the two images does not say" in diff(two[0], layout.path).stdout


NESTED = b"[" * 200_000


def test_an_image_that_says_it_in_too_deep_a_way(tmp_path, two):
    layout = Layout(tmp_path / "deep")
    layout.holds(layout.image({SBOM: NESTED, f"{ENTRYPOINT}/errors.py": b"-" * 100_000 + b"1"}))
    found = told(two[0], layout.path)
    assert (found["packages"], found["exit_codes"]) == (None, None)


def links(targets: dict[str, str]) -> bytes:
    """An archive of links, each {name: target}."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, target in targets.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return content.getvalue()


def sparse() -> bytes:
    """An archive whose file is said to have holes, but not where."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("file")
        entry.size = 5
        entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "file"}
        archive.addfile(entry, io.BytesIO(b"text\n"))
    return content.getvalue()


@pytest.mark.parametrize(
    "layer",
    [
        b"no archive" * 100,
        sparse(),
        links({SBOM: "nowhere"}),
        links({SBOM: "b.cdx.json", "usr/share/sbom/b.cdx.json": Path(SBOM).name}),
    ],
    ids=["none", "sparse", "a link to nowhere", "links in a circle"],
)
def test_a_layer_that_is_none(tmp_path, two, layer):
    layout = Layout(tmp_path / "broken")
    layout.holds(layout.image(layer))
    done = diff(two[0], layout.path)
    assert (done.returncode, done.stdout) == (5, "")
    (sentence,) = done.stderr.splitlines()
    assert "is no layer of an image: " in sentence


@pytest.mark.parametrize(
    "index",
    [b"", b"[]", b"{}", b'{"manifests": 1}', b'{"manifests": [{}]}', NESTED],
    ids=lambda index: index[:16].decode(),
)
def test_a_layout_that_is_none(tmp_path, two, index):
    (tmp_path / "index.json").write_bytes(index)
    done = diff(two[0], tmp_path)
    assert (done.returncode, done.stdout) == (5, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("diff: ")


def test_an_archive_that_was_cut_off(tmp_path, two):
    """Behind all that is in it."""
    saved = tmp_path / "saved.tar"
    copy = ["skopeo", "--insecure-policy", "--tmpdir", tmp_path, "copy", "--quiet", f"oci:{two[1]}"]
    subprocess.run([*copy, f"docker-archive:{saved}:shop:2"], check=True, capture_output=True)
    saved.write_bytes(gzip.compress(saved.read_bytes())[:-4])
    done = diff(two[0], saved)
    assert (done.returncode, done.stdout) == (5, "")
    (sentence,) = done.stderr.splitlines()
    assert "is no archive of an image" in sentence


@pytest.mark.parametrize("suffix", ["", ":gz"])
def test_archives_are_the_layouts_that_a_push_makes_of_them(tmp_path, two, suffix):
    """As `docker save` writes one, and a layout in an archive."""
    saved, packed = tmp_path / "saved", tmp_path / "packed.tar"
    copy = ["skopeo", "--insecure-policy", "--tmpdir", tmp_path, "copy", "--quiet", f"oci:{two[1]}"]
    subprocess.run([*copy, f"docker-archive:{saved}:shop:2"], check=True, capture_output=True)
    with tarfile.open(packed, f"w{suffix}") as archive:
        archive.add(two[1], "")
    if suffix:
        saved.write_bytes(gzip.compress(saved.read_bytes()))
    assert told(packed, two[1])["pull"] == {"layers": 0, "bytes": 0}
    assert told(two[0], saved)["packages"] == told(two[0], two[1])["packages"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"])
def test_archive_that_is_none(tmp_path, two, content):
    (tmp_path / "image.tar.gz").write_bytes(content)
    done = diff(two[0], tmp_path / "image.tar.gz")
    assert (done.returncode, done.stdout) == (5, "")
    (sentence,) = done.stderr.splitlines()
    assert "is no archive of an image" in sentence


def test_arguments(two):
    for words in (["only-one"], [two[0], two[1], "--format", "html"], [two[0], two[1], "--tls-verify=maybe"]):
        done = subprocess.run(
            [sys.executable, ROOT / "nix/proof/diff.py", "skopeo", "", "", *words],
            env=MODULES,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("diff: ")
        assert done.stderr.count("\n") == 1


def test_this_image():
    """Against itself: nothing has changed, and it says all of what is compared."""
    if not os.environ.get("OCI"):
        pytest.skip("set OCI; `nix flake check` does (nix/development/checks.nix)")
    layout = Path(os.environ["OCI"])
    found = told(layout, layout)
    assert (found["packages"], found["variables"], found["exit_codes"]) == ([], [], [])
    assert found["old"] == found["new"]
    assert found["new"]["layers"] > 1


SOME = Facts("1", "", "linux/amd64", ["a"], {"a": 1, "c": 2}, 3, {"x": "1"}, None, {})


def test_unknown_on_one_side_is_unknown():
    assert changed(None, {}) is None
    assert changed({"x": "1"}, {"x": "2"}) == [Change("x", "1", "2")]
    assert as_json(changes(SOME, SOME))["variables"] is None


def test_of_an_index_the_image_for_this_machine(tmp_path):
    layout = Layout(tmp_path / "both", "amd64")
    first = layout.image({"a": b""})
    layout.architecture = "arm64"
    layout.holds(layout.index(first, layout.image({"a": b""}, {"b": b""})))
    own = "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    assert told(layout.path, layout.path)["old"]["platform"] == own
    done = diff(layout.path, layout.path, "--format", "json", "--platform", "linux/arm64")
    assert json.loads(done.stdout)["old"]["layers"] == 2
    done = diff(layout.path, layout.path, "--platform", "linux/s390x")
    assert (done.returncode, done.stdout) == (5, "")
