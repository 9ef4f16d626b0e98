"""What is in the image, who owns it, and how it starts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import django
import pytest
from whitenoise.compress import Compressor

from bench.archive import path_of, read_layer
from tests.image.conftest import given

UNTIDY = Path(__file__).parents[1] / "nix/untidy"
WRITABLE = {"app", "app/staticfiles", "app/media", "app/logs"}


def test_archive_is_what_its_configuration_says(image):
    assert image.manifest["RepoTags"] == ["eatfit24-backend:latest"]
    assert image.digests == image.config["rootfs"]["diff_ids"]
    assert len(image.config["history"]) == len(image.digests)


def test_the_reading_is_not_empty(image):
    """Or tests that look at all layers would look at nothing."""
    assert len(image.below) == 5
    assert all(image.below)
    assert "app/manage.py" in image.tree
    assert any(path.endswith("/bin/python3") for path in image.tree)


@pytest.mark.parametrize("top", ["", "./", "/"])
def test_names_are_read_as_tar_means_them(top):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, size in (("nix/store/abc-x/bin/x", 3), ("app/manage.py", 5)):
            entry = tarfile.TarInfo(top + name)
            entry.size = size
            archive.addfile(entry, io.BytesIO(bytes(size)))
    data.seek(0)
    assert read_layer(data, 0).files == {"nix/store/abc-x": 3, "/": 5}
    data.seek(0)
    with tarfile.open(fileobj=data) as archive:
        assert [path_of(entry) for entry in archive] == ["nix/store/abc-x/bin/x", "app/manage.py"]


@pytest.mark.proves("`/app`, `staticfiles`, `media` are django's, mode 755, and the user is not root")
def test_runs_as_a_numeric_ordinary_user(image):
    """A number is what Kubernetes' runAsNonRoot can verify."""
    assert image.config["config"]["User"] == "1000:1000"
    assert b"django:x:1000:1000:Django:/app:/bin/sh\n" in image.contents["etc/passwd"]
    assert b"django:x:1000:\n" in image.contents["etc/group"]


@pytest.mark.proves("`/app`, `staticfiles`, `media` are django's, mode 755, and the user is not root")
def test_writable_directories_exist_and_are_the_users(image):
    """EMR document, "Permission Model": /app, /app/staticfiles and /app/media are django:django 755."""
    for name in WRITABLE:
        entry = image.tree[name]
        assert entry.isdir(), name
        assert (entry.uid, entry.gid, stat.S_IMODE(entry.mode)) == (1000, 1000, 0o755), name


def test_nothing_else_is_writable_by_the_user(image):
    for name, entry in image.tree.items():
        if entry.issym() or name in WRITABLE or name == "tmp":
            continue
        assert (entry.uid, entry.gid) == (0, 0), name
        assert not entry.mode & 0o022, name


def test_tmp_is_for_everybody(image):
    assert stat.S_IMODE(image.tree["tmp"].mode) == 0o1777


def test_no_file_gives_rights(image):
    assert not [name for name, entry in image.tree.items() if entry.mode & 0o6000]


@pytest.mark.proves("Not at build")
def test_static_files_are_not_collected_at_build(image):
    for folder in ("staticfiles", "media", "logs"):
        assert not [name for name in image.tree if name.startswith(f"app/{folder}/")]


def test_static_files_of_packages_are_compressed_at_build(image):
    """As WhiteNoise compresses them, so that a boot need not; named by what they are made of."""
    folder = given("COMPRESSED").resolve()
    content = (
        Path(django.__file__).with_name("contrib").joinpath("admin/static/admin/css/base.css").read_bytes()
    )
    variant = folder / f"{hashlib.sha256(content).hexdigest()}.gz"
    assert variant.read_bytes() == Compressor.compress_gzip(content)
    for each in folder.iterdir():
        assert each.name == f"{hashlib.sha256(gzip.decompress(each.read_bytes())).hexdigest()}.gz"
    there = {path for path in image.tree if path.startswith(f"{folder}/".removeprefix("/"))}
    assert there == {f"{each}".removeprefix("/") for each in folder.iterdir()}


@pytest.mark.proves("No runtime artefact, test or secret is in the image")
def test_no_tests_documentation_tools_or_secrets(image):
    unwanted = re.compile(
        r"(^app/(tests|docs)(/|$)|\.sqlite3$|\.md$|(^|/)\.env|(^|/)\.git|/(gcc|cc|make|pip3?|apt|dpkg|nix)$)"
    )
    own = [name for name in image.tree if name.startswith("app/") or "/bin/" in name]
    # busybox brings small programs of these names; only the application's and real ones count.
    found = [name for name in own if unwanted.search(name) and "busybox" not in name]
    assert found == []


def test_application_lies_alone_on_top(image):
    """So that an edit of it changes no layer with store paths."""
    assert image.layers == image.below + image.top
    assert all(path_of(entry).startswith("nix") for layer in image.below for entry in layer)
    assert sum(entry.size for layer in image.top for entry in layer) < 500_000


def test_what_changes_together_lies_together(image):
    """From the lowest: system, Python, Django, other packages, and the environment of links with the boot sequence."""
    named = ["bin/busybox", "/os.py", "/django/__init__.py", "/gunicorn/__init__.py", "bin/entrypoint"]
    files = [[path_of(entry) for entry in layer if entry.isfile()] for layer in image.below]
    found = [
        next(number for number, paths in enumerate(files) if any(path.endswith(name) for path in paths))
        for name in named
    ]
    assert found == list(range(len(image.below)))


def test_translations_that_the_project_does_not_offer_are_left_out(image):
    places = [name.split("/") for name in image.tree if "/locale/" in name]
    assert {parts[-2] for parts in places if parts[-1] == "LC_MESSAGES"} == {"en"}


def test_folders_are_the_same_in_every_layer(image):
    """An engine takes owner and mode from the uppermost layer that has the folder."""
    seen = {}
    for layer in image.layers:
        for entry in layer:
            facts = (entry.uid, entry.gid, entry.mode, entry.type)
            assert not entry.isdir() or seen.setdefault(path_of(entry), facts) == facts, entry.name
        names = {path_of(entry) for entry in layer}
        missing = [name for name in names if "/" in name and name.rpartition("/")[0] not in names]
        assert missing == []


def test_times_are_fixed(image):
    assert {entry.mtime for layer in image.layers for entry in layer} == {1}
    assert datetime.fromisoformat(image.config["created"]) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_starts_through_an_init(image):
    """PID 1 must forward signals from the first millisecond on, and reap."""
    tini, dashes, python, entrypoint = image.config["config"]["Entrypoint"]
    assert tini.endswith("/bin/tini")
    assert dashes == "--"
    assert image.tree[python[1:]].issym()
    assert image.tree[entrypoint[1:]].issym()
    assert image.config["config"]["StopSignal"] == "SIGTERM"
    assert image.config["config"]["WorkingDir"] == "/app"
    assert image.config["config"]["ExposedPorts"] == {"8000/tcp": {}}
    assert image.config["config"]["Healthcheck"]["Test"][-1] == "healthcheck"


@pytest.mark.proves("Any other command is executed as given (`ls -la /app/`)")
def test_programs_the_documents_use_are_on_path(image):
    folders = image.environment["PATH"].split(":")
    for program in (
        "python",
        "python3",
        "gunicorn",
        "django-admin",
        "pg_isready",
        "sh",
        "ls",
        "grep",
        "entrypoint",
    ):
        assert any(f"{folder}/{program}"[1:] in image.tree for folder in folders), program


def test_etc_is_complete(image):
    for name in ("passwd", "group", "nsswitch.conf", "os-release"):
        assert image.contents[f"etc/{name}"], name
    for link in ("etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo", "bin/sh", "usr/bin/env"):
        target = image.tree[link].linkname
        assert target[1:] in image.tree, f"{link} -> {target}"


def test_labels(image):
    labels = image.config["config"]["Labels"]
    for name in ("title", "description", "version", "revision"):
        assert labels[f"org.opencontainers.image.{name}"], name


def test_links_lead_somewhere(image):
    """A link into a store path that is not in the image would break at run time only."""
    tree = image.tree
    dangling = [
        f"{name} -> {entry.linkname}"
        for name, entry in tree.items()
        if entry.issym() and entry.linkname.startswith("/nix/store") and entry.linkname[1:] not in tree
    ]
    assert dangling == []


@pytest.mark.proves("No runtime artefact, test or secret is in the image")
def test_what_a_working_tree_collects_stays_out(untidy):
    """EatFit24 document, "Runtime Artifacts Exclusion"."""
    found = sorted(path.relative_to(untidy).as_posix() for path in untidy.rglob("*") if path.is_file())
    sources = [name for name in found if "__pycache__" not in name and not name.endswith(".fingerprint")]
    assert sources == [
        "app/models.py",
        "app/static/app/media/logo.svg",
        "app/template.py",
        # An app of that name.
        "debian/apps.py",
        "manage.py",
        "pyproject.toml",
    ]
    compiled = [name for name in found if "__pycache__" in name]
    assert sorted(compiled) == [
        "__pycache__/manage.cpython-313.pyc",
        "app/__pycache__/models.cpython-313.pyc",
        "debian/__pycache__/apps.cpython-313.pyc",
    ]


def test_what_is_left_out_is_known(untidy):
    left_out = json.loads(given("LEFT_OUT").read_text())
    everything = {path.relative_to(UNTIDY) for path in UNTIDY.rglob("*") if path.is_file()}
    kept = {path for path in everything if (untidy / path).exists()}
    assert {
        path for path in everything - kept if not any(path.is_relative_to(out) for out in left_out)
    } == set()
    assert {path for path in kept if any(path.is_relative_to(out) for out in left_out)} == set()
    assert {"docs", "logs", "media", ".env", "app/tests.py", "app/tests"} <= set(left_out)
