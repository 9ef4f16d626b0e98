"""`nixw add` for another project, with the machine's Debian mirror and Python index; and what it adds, built."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

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


def nixw(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NIXW, *arguments], cwd=directory, env=ENVIRONMENT | NETWORK, capture_output=True, text=True
    )


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

    built = nixw(project, "build", ".#image.environment", "--out-link", "result-environment")
    assert built.returncode == 0, built.stderr
    environment = project / "result-environment"
    script = (
        "import magic, jwt, cryptography.hazmat.bindings._rust, PIL._imaging, ctypes.util;"
        f"detector = magic.Magic(mime=True, magic_file='{environment}/share/misc/magic.mgc');"
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


def test_a_debian_package_that_does_not_exist_is_refused(project):
    before = (project / "debian/packages.toml").read_bytes()
    result = nixw(project, "add", "--debian", "libnosuchthing1")
    assert result.returncode == 101
    assert "There is no Debian package named libnosuchthing1." in result.stderr
    assert (project / "debian/packages.toml").read_bytes() == before
