"""Locks of each format, and what is installed of them: golden files, held against what Python's `packaging` says.

The files uv.lock were written by uv, with other addresses put in later. Needs `nix-instantiate`.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from urllib.parse import unquote, urlsplit

import pytest
from packaging.pylock import Pylock
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from bench import locked
from tests.any_project.locks import GLIBC, LOCKS, PYTHON, brief, evaluate, expression, packages
from tests.any_project.test_markers import ENVIRONMENT

LOCK_FILES = ("uv.lock", "pylock.toml")
CASES = [
    pytest.param(folder, case, id=f"{folder.name}-{number}")
    for folder in sorted(LOCKS.iterdir())
    for number, case in enumerate(json.loads((folder / "cases.json").read_text()))
]


def supported(machine: str) -> list[Tag]:
    """The tags of CPython on Linux with this C library, the best first. No machine is asked."""
    minor = int(GLIBC.split(".")[1])
    platforms = []
    for number in range(minor, 4 if machine == "x86_64" else 16, -1):
        platforms.append(f"manylinux_2_{number}_{machine}")
        if older := {17: "2014", 12: "2010", 5: "1"}.get(number):
            platforms.append(f"manylinux{older}_{machine}")
    platforms.append(f"linux_{machine}")
    python = tuple(map(int, PYTHON.split(".")[:2]))
    return [
        *cpython_tags(python, ["cp313"], platforms),
        *compatible_tags(python, "cp313", platforms),
    ]


def best_wheel(files: list[str], machine: str) -> str | None:
    """The wheel that pip installs: the best tag, and of those the latest build."""
    order = {tag: place for place, tag in enumerate(supported(machine))}
    ranked = []
    for file in files:
        _, _, build, tags = parse_wheel_filename(file)
        if places := [order[tag] for tag in tags if tag in order]:
            ranked.append((-min(places), build, file))
    return max(ranked)[2] if ranked else None


def file_of(entry: dict[str, str]) -> str:
    path = entry.get("name") or entry.get("filename") or entry.get("path") or urlsplit(entry["url"]).path
    return unquote(path.rsplit("/", 1)[-1])


def hash_of(entry: dict) -> str | None:
    return (
        entry["hashes"]["sha256"].lower()
        if "hashes" in entry
        else entry.get("hash", "").removeprefix("sha256:")
    )


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_the_list_is_the_expected_one(folder, case):
    assert [brief(package) for package in packages(folder, **case["arguments"])] == case["packages"]


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_each_wheel_is_the_one_that_pip_installs_with_the_hash_of_the_lock(folder, case):
    [lock] = [tomllib.loads(path.read_text()) for path in folder.iterdir() if path.name in LOCK_FILES]
    entries = {}
    for package in lock.get("package") or lock["packages"]:
        wheels = package.get("wheels", [])
        if "archive" in package and file_of(package["archive"]).endswith(".whl"):
            wheels = [package["archive"]]
        entries[package["name"], package.get("version")] = {file_of(wheel): wheel for wheel in wheels}
    machine = case["arguments"].get("machine", "x86_64")
    for package in packages(folder, **case["arguments"]):
        wheels = entries.get((package["name"], package["version"]), {})
        best = best_wheel(list(wheels), machine)
        assert (package["wheel"] or {"file": None})["file"] == best
        if best is not None:
            assert package["wheel"]["url"] == wheels[best].get("url", package["wheel"]["url"])
            assert hash_of(wheels[best]) in ("", package["wheel"]["sha256"])


@pytest.mark.parametrize(
    ("folder", "case"), [case for case in CASES if (case.values[0] / "pylock.toml").exists()]
)
def test_pylock_is_read_as_packaging_reads_it(folder, case):
    lock = Pylock.from_dict(tomllib.loads((folder / "pylock.toml").read_text()))
    arguments = case["arguments"]
    machine = arguments.get("machine", "x86_64")
    # The groups that are chosen by default here do not contain `dev`.
    default = [group for group in lock.default_groups or [] if group != "dev"]
    selected = lock.select(
        environment=ENVIRONMENT | {"platform_machine": machine},
        tags=supported(machine),
        extras=arguments.get("extras", []),
        dependency_groups=arguments.get("groups", default),
    )
    theirs = {package.name: getattr(what, "filename", None) for package, what in selected}
    theirs.pop(folder.name, None)
    ours = packages(folder, **arguments)
    assert [package["name"] for package in ours] == sorted(theirs)
    for package in ours:
        if theirs[package["name"]] is not None:
            assert (package["wheel"] or package["sdist"])["file"] == theirs[package["name"]]


BUILT = [case for case in CASES if "builtWith" in case.values[1]]


@pytest.mark.parametrize(("folder", "case"), BUILT)
def test_what_has_no_wheel_is_built_with_what_pylock_build_says_of_it(folder, case):
    """Each with a group of its own: the expected one, and the same as `packaging` reads."""
    content = tomllib.loads((folder / "pylock.build.toml").read_text())
    for package in content["packages"]:
        # Which it must have, by the book.
        package["wheels"] = [wheel | {"path": wheel["name"]} for wheel in package["wheels"]]
    lock = Pylock.from_dict(content)
    machine = case["arguments"].get("machine", "x86_64")
    found = {package["name"]: package for package in packages(folder, **case["arguments"])}
    ours = {name: package["builtWith"] for name, package in found.items() if not package["wheel"]}
    assert {name: list(map(brief, built)) for name, built in ours.items()} == case["builtWith"]
    for name, built in ours.items():
        selected = lock.select(
            environment=ENVIRONMENT | {"platform_machine": machine},
            tags=supported(machine),
            dependency_groups=[name],
        )
        theirs = {what.filename: what.hashes["sha256"] for _, what in selected}
        assert {each["wheel"]["file"]: each["wheel"]["sha256"] for each in built} == theirs


def test_without_pylock_build_the_package_set_builds(tmp_path):
    folder = tmp_path / "built"
    shutil.copytree(LOCKS / "built", folder)
    (folder / "pylock.build.toml").unlink()
    assert [package.get("builtWith", "wheel") for package in packages(folder)] == [
        *(None, "wheel"),
        *(None, None, None),
    ]


def test_a_project_without_a_lock_has_none(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    assert evaluate(expression(tmp_path)).stdout.strip() == "null"


def test_the_lock_may_lie_in_src_and_uv_s_own_is_read_first(tmp_path):
    shutil.copytree(LOCKS / "shop", tmp_path / "src")
    (tmp_path / "src/pylock.toml").write_text("")
    (tmp_path / "src/pyproject.toml").rename(tmp_path / "pyproject.toml")
    program = expression(tmp_path / "src").replace("src/pyproject.toml", "pyproject.toml")
    result = json.loads(evaluate(program).stdout)
    assert result["file"] == "uv.lock"
    assert result["packages"] == packages(LOCKS / "shop")


@pytest.mark.parametrize("with_files", [False, True])
def test_the_lock_that_the_benchmark_reads(tmp_path, with_files):
    """All of its packages, of which every fifth is compiled for the one machine and Python among many."""
    project = locked.Project(tmp_path, 300, with_files=with_files)
    project.write()
    found = packages(tmp_path)
    assert {(one["name"], one["version"]) for one in found} == {
        (locked.name(number), project.version(number)) for number in range(300)
    }
    chosen = {one["wheel"]["file"].split("-", 2)[2] for one in found}
    compiled = {"cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"}
    assert chosen == {"py3-none-any.whl"} | (set() if with_files else compiled)
