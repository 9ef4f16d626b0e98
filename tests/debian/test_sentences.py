"""Whatever goes wrong in nixw's programs is one sentence, and nothing is lost. Real pip and uv: tests/any_project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

import add
import index
import machines
import mirror
import program
import relock
import seed
import wheels
from tests.strange_index import FILE, FILES, PAGES, Answer, link, serving, wheel
from wheels import LockError

FOLDER = Path(program.__file__).parent


@pytest.fixture
def pip(monkeypatch):
    """Have pip's configuration say this, for this machine may have no pip."""

    def configure(**settings_: str) -> None:
        monkeypatch.setattr(
            index, "pip_settings", lambda: {k.replace("_", "-"): v for k, v in settings_.items()}
        )

    return configure


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_page_that_is_none(pip, tmp_path, page):
    with serving(page) as address:
        pip(index_url=address)
        with pytest.raises(mirror.MirrorError) as refused:
            index.download("bad", FILE, tmp_path / FILE)
    assert refused.match(r"The Python index that pip is configured with (does not give|has no file) bad-1\.0")
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / FILE).exists()


def test_a_file_that_breaks_off(pip, tmp_path):
    content = wheel()
    with serving(link(FILE, content), Answer(content[:100], promised=len(content))) as address:
        pip(index_url=address)
        with pytest.raises(mirror.MirrorError, match="does not give bad-1.0.*: IncompleteRead"):
            index.download("bad", FILE, tmp_path / FILE)


def test_an_index_that_works_is_asked_behind_one_that_does_not(pip, tmp_path):
    content = wheel()
    good = serving(link(FILE, content), Answer(content))
    with serving(PAGES["another protocol"]) as bad, good as address:
        pip(index_url=bad, extra_index_url=address)
        index.download("bad", FILE, tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == content


def in_store(monkeypatch, tmp_path: Path, content: bytes) -> dict[str, str]:
    """A wheel as one in the store."""
    (tmp_path / FILE).write_bytes(content)
    monkeypatch.setattr(wheels, "fixed_output_path", lambda *_: str(tmp_path / FILE))
    return {"file": FILE, "sha256": ""}


@pytest.mark.parametrize("kind", ["no zip", "half a wheel", "no metadata", "metadata that cannot be read"])
def test_a_wheel_that_is_none(monkeypatch, tmp_path, kind):
    with pytest.raises(LockError, match=rf"gives as {FILE} what is no wheel \(.+\): ask for another version"):
        wheels.requires_dist(in_store(monkeypatch, tmp_path, FILES[kind]))


WHEEL = wheel("Requires-Dist: other>=1; python_version > '3'\n")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHEEL) - 1), st.binary(max_size=4), st.integers(0, 8))
def test_a_wheel_with_other_bytes(tmp_path_factory, place, new, length):
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("wheel")
        damaged = in_store(monkeypatch, folder, WHEEL[:place] + new + WHEEL[place + length :])
        try:
            assert all(isinstance(each, Requirement) for each in wheels.requires_dist(damaged))
        except LockError as error:
            said = str(error)
        else:
            said = ""
    assert len(said.splitlines()) <= 1


def test_a_condition_that_means_nothing():
    graph = wheels.Graph({"a": [Requirement("b; python_version ~= 'nonsense'")], "b": []}, (), "3.13")
    with pytest.raises(LockError, match="The condition of b.* cannot be read"):
        graph.reachable([Requirement("a")])


def test_a_wheel_that_needs_more_than_its_index_said():
    graph = wheels.Graph({"a": [Requirement("ghost>=2")]}, (), "3.13")
    with pytest.raises(LockError, match="A wheel says that it needs ghost>=2, and the Python index did not"):
        graph.reachable([Requirement("a")])


def test_file_names_that_are_no_wheels():
    files = [{"name": "a-1.whl", "path": "a-1.whl", "hashes": {"sha256": "0"}}]
    with pytest.raises(LockError, match="gives no wheel of a 1 "):
        wheels.best_wheel({"name": "a", "version": "1", "wheels": files}, "3.13")


def test_a_list_of_packages_that_breaks_off(monkeypatch):
    apt = mirror.Apt([])
    monkeypatch.setattr(apt, "run", lambda *_: "Package: a\nVersion: 1\nFilename: pool/a.deb\nSize: 1\n")
    with pytest.raises(mirror.MirrorError, match="list of packages is not whole: Package: a Version: 1"):
        apt.index()


@pytest.mark.parametrize("text", ["", '{"python": "3.13", "wheels"', "[]", "{}", '"lock"', "\0"])
def test_a_lock_that_is_none(monkeypatch, tmp_path, text):
    (tmp_path / "lock.json").write_text(text)
    monkeypatch.setattr(seed, "HERE", tmp_path)
    with pytest.raises(mirror.MirrorError, match="cannot be read|is no lock of a package set"):
        seed.seed_set()


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (None, "was made before there were packages for"),
        ({"refused": "shop has no wheel there."}, "shop has no wheel there"),
    ],
)
def test_a_lock_without_the_other_architecture(monkeypatch, tmp_path, other, sentence):
    """It serves this machine; whoever asks for the other one is told why there is nothing."""
    whole = {"python": "3.13", "busybox": "0" * 64, "debian": {}, "wheels": {}}
    systems = {machine.system: whole for machine in machines.MACHINES}
    systems[machines.OTHER.system] = other
    lock = whole | {system: fields for system, fields in systems.items() if fields}
    if machines.OTHER is machines.X86_64:
        pytest.skip("x86_64 is what every lock has")
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    monkeypatch.setattr(seed, "HERE", tmp_path)
    monkeypatch.setattr(seed, "missing_from_store", lambda _: set())
    seed.seed_set()
    with pytest.raises(mirror.MirrorError, match=sentence):
        seed.seed_set(other=True)


@pytest.mark.parametrize("part", ["wheels_for", "index_for"])
def test_an_architecture_that_cannot_be_locked_leaves_the_first_as_it_is(monkeypatch, capsys, part):
    parts = {"wheels_for": {"wheels": {}}, "debian_for": {"debian": {}, "compiler": []}, "index_for": None}

    def replaced(name):
        def found(machine, *_):
            if name == part and machine is machines.AARCH64:
                raise mirror.MirrorError("http://example.org/debian has\nnothing.")
            return parts[name]

        return found

    for name in parts:
        monkeypatch.setattr(relock, name, replaced(name))
    lock = json.loads(relock.set_lock(FOLDER))
    assert lock["wheels"] == lock["debian"] == {}
    assert lock["aarch64-linux"] == {"refused": "nixw relock could not lock it for aarch64: ... has nothing."}
    assert "Not for aarch64: ... has nothing.\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "[debian",
        "debian = 3",
        "[debian]\nroots = 3",
        "[wheels]\nprojects = 3",
        "[wheels.debian]\na = 3",
        "[wheels]\ndebian = 3",
        "\xff",
    ],
)
def test_settings_that_are_none(tmp_path, text):
    (tmp_path / "packages.toml").write_text(text, encoding="latin-1")
    with pytest.raises(LockError, match=r"packages\.toml"):
        relock.read_settings(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[project", "project = 3", "[project]\ndependencies = [3]", "[project]\ndependencies = 3", "\xff"],
)
def test_a_project_that_cannot_be_read(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text, encoding="latin-1")
    with pytest.raises(LockError):
        add.with_python(tmp_path / "pyproject.toml", ["Django"], lenient=False)


def test_requirements_that_include_themselves(tmp_path):
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("Django\n-r a.txt\n")
    with pytest.raises(LockError, match=r"a\.txt includes itself"):
        add.listed(tmp_path / "a.txt")


def test_a_project_is_put_back_when_it_cannot_be_locked(monkeypatch, tmp_path):
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_bytes(b"before")

    def refuse(*_: object, **__: object) -> None:
        assert pyproject.read_text() == "after"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(add, "relock", refuse)
    with pytest.raises(OSError, match="No space left"):
        add.keep_if_locked(tmp_path / "debian", pyproject, "after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("pyproject.toml", b"before")]


def ended(code: str, cwd: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python code beside the programs; `limit` is how many bytes a file may have, as on a full disk."""
    start = f"import sys, resource; sys.path.insert(0, {str(FOLDER)!r}); import program\n"
    if limit is not None:
        start += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    return subprocess.run([sys.executable, "-B", "-c", start + code], cwd=cwd, capture_output=True, text=True)


def test_a_lock_is_written_whole_or_not_at_all(tmp_path):
    for name in ("lock.json", "pylock.toml"):
        (tmp_path / name).write_text("before")
    code = """
from pathlib import Path
program.run("relock", lambda: program.write_all({Path("pylock.toml"): "new", Path("lock.json"): "x" * 5000}))
"""
    result = ended(code, tmp_path, limit=1000)
    assert (result.returncode, result.stderr) == (1, "relock: File too large.\n")
    assert sorted(os.listdir(tmp_path)) == ["lock.json", "pylock.toml"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"before"}
    (tmp_path / "lock.json").chmod(0o640)
    assert ended(code, tmp_path).returncode == 0
    assert (tmp_path / "lock.json").read_text() == "x" * 5000
    assert (tmp_path / "lock.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("failure", "code", "sentence"),
    [
        ("program.Refused('It is\\n so.')", 1, "seed: It is so."),
        ("OSError(28, 'No space left on device', '/tmp/x')", 1, "seed: /tmp/x: No space left on device."),
        ("KeyboardInterrupt", 130, ""),
        (
            "KeyError('hashes')",
            1,
            "seed: this is a fault in <string>, line 3 (KeyError: 'hashes'): report it",
        ),
        ("SystemExit(4)", 4, ""),
    ],
)
def test_how_a_program_ends(tmp_path, failure, code, sentence):
    result = ended(f"def main():\n  raise {failure}\nprogram.run('seed', main)", tmp_path)
    assert result.returncode == code
    assert result.stderr.startswith(sentence)
    assert len(result.stderr.splitlines()) == bool(sentence)


def test_the_files_of_a_lock_that_nobody_could_evaluate(tmp_path):
    (tmp_path / "files.json").write_text(json.dumps([{"name": "a"}])[:-3])
    command = [sys.executable, "-B", FOLDER / "seed.py", "--files", tmp_path / "files.json"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("seed: ")
