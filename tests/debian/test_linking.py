"""Whether libraries can be loaded, without loading them: held against what the loader itself says of the same files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "nix/debian"
# What nixpkgs has in the place of sys.executable only starts it.
PYTHON = Path("/proc/self/exe").resolve()
MODULES = Path(subprocess.__file__).parent / "lib-dynload"

# Each leaves the file as long as it was.
DAMAGES = {
    "another machine": (lambda content: content[:18] + b"\xf3\0" + content[20:], "is for another machine"),
    "a library that is nowhere": (
        lambda content: content.replace(b"\0libc.so.6\0", b"\0libx.so.6\0"),
        "needs libx.so.6, which is nowhere",
    ),
    "a function that nobody has": (
        lambda content: content.replace(b"\0PyModuleDef_Init\0", b"\0PyModuleDef_Inix\0"),
        "wants PyModuleDef_Inix, which none of its libraries has",
    ),
    "a version that nobody has": (
        lambda content: re.sub(rb"\0GLIBC_2(?=\.[0-9.]+\0)", b"\0GLIBC_9", content),
        "of GLIBC_9.",
    ),
}


def linked(folder: Path, *libraries: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, FOLDER / "linking.py", "shop", folder, PYTHON, *libraries]
    return subprocess.run(command, capture_output=True, text=True)


def loaded(folder: Path) -> subprocess.CompletedProcess[str]:
    """The loader's own answer."""
    command = [sys.executable, FOLDER / "load.py", "shop", folder]
    return subprocess.run(command, capture_output=True, text=True)


def test_what_can_be_loaded():
    """All of the standard library's that are compiled, among them those that need OpenSSL and SQLite."""
    assert len(list(MODULES.glob("*.so"))) > 20
    assert loaded(MODULES).returncode == 0
    assert linked(MODULES).stderr == ""


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES.values(), ids=DAMAGES)
def test_what_cannot_be_loaded(tmp_path, damage, sentence):
    module = next(
        file
        for file in sorted(MODULES.glob("*.so"))
        if b"GLIBC_2" in file.read_bytes() and damage(file.read_bytes()) != file.read_bytes()
    )
    (tmp_path / module.name).write_bytes(damage(module.read_bytes()))
    assert loaded(tmp_path).returncode == 1
    result = linked(tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"shop does not fit this set: {module.name} ")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_library_beside_it_is_found_only_where_it_is_named(tmp_path):
    """As those of a Debian package that a project adds are, in its environment."""
    module = next(file for file in sorted(MODULES.glob("*.so")) if b"\0libc.so.6\0" in file.read_bytes())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / module.name).write_bytes(
        module.read_bytes().replace(b"\0libc.so.6\0", b"\0libx.so.6\0")
    )
    libc = next(
        Path(line.split()[-1])
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith("/libc.so.6")
    )
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries/libx.so.6").symlink_to(libc)
    assert linked(tmp_path / "folder").returncode == 1
    assert linked(tmp_path / "folder", tmp_path / "libraries").stderr == ""
