"""What is in the image for the other architecture. It is read, and not run."""

from __future__ import annotations

import io
import json
import posixpath
import re
import struct
import tarfile

import pytest

from bench.archive import path_of
from tests.architectures.conftest import OTHER, OWN


@pytest.fixture(scope="session")
def files(other, other_archive) -> dict[str, bytes]:
    """Contents of all regular files, by path, those in store paths included."""
    with tarfile.open(other_archive) as archive:
        return {
            path_of(entry): layer.extractfile(entry).read()
            for name in other.manifest["Layers"]
            for layer in [tarfile.open(fileobj=io.BytesIO(archive.extractfile(name).read()))]
            for entry in layer
            if entry.isfile()
        }


@pytest.fixture(scope="session")
def programs(files) -> dict[str, bytes]:
    """Those of them that a processor runs: programs and libraries."""
    return {path: content for path, content in files.items() if content.startswith(b"\x7fELF")}


def test_every_program_and_library_is_the_architectures(programs):
    """In an ELF file's head: 64 bits, the lower ones first, and the processor (System V ABI, e_machine)."""
    heads = {(content[4:6], struct.unpack_from("<H", content, 18)[0]) for content in programs.values()}
    assert heads == {(b"\x02\x01", OTHER.elf)}
    names = " ".join(programs)
    for name in (
        "/bin/tini",
        "/bin/busybox",
        "/bin/pg_isready",
        "/bin/python3.",
        "/_psycopg.",
        "/libssl.so.",
    ):
        assert name in names


def test_each_program_is_started_by_a_loader_that_is_there(programs, other):
    loaders = {
        match[1].decode()
        for content in programs.values()
        if (match := re.search(rb"\0?(/nix/store/[^\0]+/ld-linux[^\0/]+)\0", content[:4096]))
    }
    (loader,) = loaders
    assert posixpath.normpath(loader)[1:] in programs


def test_no_name_of_this_machines_architecture_is_left(other):
    """Folders and libraries are called by it on Debian; a path with the wrong one leads nowhere."""
    wrong = re.compile(rf"(^|[/.-]){OWN.machine}-linux")
    assert [path for path in other.tree if wrong.search(path)] == []


def test_it_says_so_itself(other):
    assert (other.config["architecture"], other.config["os"]) == (OTHER.name, "linux")


def test_records_of_packages_and_the_bill_of_materials_say_it(other):
    records = [
        content.decode()
        for path, content in other.contents.items()
        if path.startswith("var/lib/dpkg/status.d/")
    ]
    (bill,) = [
        json.loads(content)
        for path, content in other.contents.items()
        if path.startswith("usr/share/sbom/") and path.endswith(".cdx.json")
    ]
    urls = [url for each in bill["components"] if (url := each.get("purl", "")).startswith("pkg:deb/")]
    if not records and not urls:
        pytest.skip("the package set is not made of a distribution's packages")
    architectures = {
        "records": [re.search(r"^Architecture: (.*)$", record, re.MULTILINE)[1] for record in records],
        "bill": [re.search(r"[?&]arch=(\w+)", url)[1] for url in urls],
    }
    for found in architectures.values():
        assert set(found) == {OTHER.name, "all"}
        assert found.count(OTHER.name) > 20


def test_everything_else_is_as_in_the_image_for_this_machine(other, own):
    """Labels, user, ports; the application, but for the fingerprints, which name the environment."""
    for key in ("Labels", "User", "WorkingDir", "ExposedPorts", "StopSignal"):
        assert other.config["config"][key] == own.config["config"][key]
    application, here = (
        {
            path: content
            for path, content in image.contents.items()
            if path.startswith("app/") and path != "app/.fingerprint"
        }
        for image in (other, own)
    )
    assert application == here
    assert "app/manage.py" in here


def test_python_alone_is_the_same_store_path(other, own):
    """So a registry and a node have it once."""
    paths = [
        {path.split("/")[2] for path in image.tree if path.startswith("nix/store/")} for image in (other, own)
    ]
    shared = {path.split("-", 1)[1] for path in paths[0] & paths[1]}
    names = {re.sub(r"-[0-9][0-9.]*$", "", name) for name in shared}
    assert {"python3-django", "python3-gunicorn", "python3-whitenoise", "cacert"} <= names
