"""`nixw lock`: what source distributions are built with, locked; and built with exactly that, on the Debian set.

The build systems are wheels made here, and pip is configured with the folder that they lie in.
"""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.any_project.test_locked import FLAKE, LISTING, Project, make_source, make_wheel, run

# It writes down which version it is, as its program on PATH says.
BACKEND = """
import os, subprocess, tomllib, zipfile
with open("pyproject.toml", "rb") as file:
    content = tomllib.load(file)
project = content["project"]
def get_requires_for_build_wheel(settings=None):
    return content.get("tool", {}).get("gear", {}).get("asks", [])
def build_wheel(folder, settings=None, metadata=None):
    name, version = project["name"], project["version"]
    file, info = f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(os.path.join(folder, file), "w") as archive:
        for path, text in {
            f"{name}/__init__.py": f"built_by = {subprocess.check_output(['gear'], text=True)!r}",
            f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
            f"{info}/RECORD": "",
        }.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return file
"""


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def gear(project: Project, version: str) -> None:
    """A build system that the package set has not."""
    cli = f"def main(): print('gear {version}', end='')"
    make_wheel(project.wheels, "gear", version, backend=BACKEND, cli=cli)


def pyproject(name: str, requires: str, more: str = "") -> str:
    return (
        f'[project]\nname = "{name}"\nversion = "1"\n'
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "gear.backend"\n{more}'
    )


def source(project: Project, name: str, requires: str, more: str = "") -> None:
    made = make_source(project.wheels, name, "1", pyproject(name, requires, more))
    project.lock_source(name, "1", made)


def locked(project: Project) -> dict:
    result = project.nixw("lock")
    assert result.returncode == 0, result.stderr
    return tomllib.loads((project.folder / "pylock.build.toml").read_text())


def refused(project: Project, *command: str, code: int) -> str:
    result = project.nixw(*command)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_each_is_built_with_the_versions_that_it_asks_for(project):
    """A source distribution and a folder of the project, which exclude each other's version of one build system."""
    gear(project, "1.0")
    gear(project, "2.0")
    source(project, "slow", "gear<2")
    project.write({"packages/fast/pyproject.toml": pyproject("fast", "gear>=2")})
    project.lock_entry('name = "fast"\ndirectory = { path = "packages/fast" }\n')
    build = ("build", ".#image.environment", "--no-link", "--print-build-logs")
    said = refused(project, *build, code=1)
    sentences = {
        f"{name} asks to be built with {asked}, and there is none: `nixw lock` locks what it asks for"
        for name, asked in {"slow": "gear<2", "fast": "gear>=2"}.items()
    }
    assert [sentence for sentence in sentences if sentence in said]

    lock = locked(project)
    assert "://" not in (project.folder / "pylock.build.toml").read_text()
    assert [(each["name"], each["version"], each["marker"]) for each in lock["packages"]] == [
        ("gear", "1.0", "'slow' in dependency_groups"),
        ("gear", "2.0", "'fast' in dependency_groups"),
    ]
    # Later ones are taken when the lock is made anew.
    gear(project, "1.1")
    assert locked(project) == lock

    environment = project.build("environment")
    program = "import fast, slow; print(slow.built_by, fast.built_by)"
    assert run(environment / "bin/python3", "-c", program) == "gear 1.0 gear 2.0\n"
    found = json.loads(run(environment / "bin/python3", "-c", LISTING))
    assert found.pop("gunicorn")
    assert found == {"slow": "1", "fast": "1"}
    # Of the build system nothing is left.
    paths = run("/usr/bin/nix-store", "--query", "--requisites", environment)
    assert "gear" not in paths

    # For another machine's image they build too, on this one, though its Python does not run here.
    flake = (FLAKE % "").replace("packages.x86_64-linux.image", "packages.aarch64-linux.image")
    project.write({"flake.nix": flake.replace("legacyPackages.x86_64-linux", "legacyPackages.aarch64-linux")})
    link = project.folder / "result-other"
    other = project.nixw(
        "build", ".#packages.aarch64-linux.image.environment", "--out-link", str(link), "--print-build-logs"
    )
    assert other.returncode == 0, other.stderr
    site = link.resolve() / "lib/python3.13/site-packages"
    assert [(site / name / "__init__.py").read_text() for name in ("slow", "fast")] == [
        "built_by = 'gear 1.0'",
        "built_by = 'gear 2.0'",
    ]
    project.write({"flake.nix": FLAKE % ""})

    # Another folder under the same name.
    project.write({"packages/fast/pyproject.toml": pyproject("fast", "gear")})
    assert "it does not say what this fast is built with. To lock that, run `nixw lock`." in refused(
        project, *build, code=1
    )


def test_what_is_asked_for_only_when_building_is_added_by_hand(project):
    gear(project, "1.0")
    make_wheel(project.wheels, "tooth", "1.0")
    make_wheel(project.wheels, "tooth", "1.5")
    source(project, "slow", "gear", '[tool.gear]\nasks = ["tooth>=1,<3"]\n')
    locked(project)
    said = refused(project, "build", ".#image.environment", "--no-link", "--print-build-logs", code=1)
    assert (
        "slow asks, when it is built, for tooth>=1,<3, and there is none: write `slow = ['tooth>=1,<3']` into"
        " [tool.uv.extra-build-dependencies] of pyproject.toml, and run `nixw lock`."
    ) in said
    settings = (
        "[tool.uv]\nbuild-constraint-dependencies = ['tooth<1.5']\n"
        "[tool.uv.extra-build-dependencies]\nslow = ['tooth>=1,<3']\n"
    )
    text = (project.folder / "pyproject.toml").read_text()
    project.write({"pyproject.toml": text + settings})
    assert [f"{each['name']} {each['version']}" for each in locked(project)["packages"]] == [
        "gear 1.0",
        "tooth 1.0",
    ]
    python = project.build("environment") / "bin/python3"
    assert run(python, "-c", "import slow; print(slow.built_by)") == "gear 1.0\n"


@pytest.mark.parametrize(
    ("requires", "sentence"),
    [
        ("ghost", "cannot be locked: The Python index has no package ghost: correct its name."),
        ("lonely", "lonely==1 has no wheel, and what builds others is not built itself; make one with `python3 -m pip"),
    ],
)  # fmt: skip
def test_what_cannot_be_locked_is_said_and_nothing_is_written(project, requires, sentence):
    gear(project, "1.0")
    make_source(project.wheels, "lonely", "1", "")
    source(project, "slow", requires)
    said = refused(project, "lock", code=103)
    assert sentence in said
    assert said.splitlines()[-1].startswith("lock: ")
    assert not (project.folder / "pylock.build.toml").exists()


def test_a_project_that_cannot_be_evaluated_is_not_locked(project):
    project.lock_entry("name = 3\n")
    said = refused(project, "lock", code=103)
    assert "pylock.toml has in a package a `name` that is not a text: make it anew." in said


def test_where_nothing_is_built_there_is_nothing_to_lock(project):
    project.lock_new("greeting", "1.5", __init__="")
    result = project.nixw("lock")
    assert (result.returncode, result.stderr) == (
        0,
        "Nothing of this project is built: its lock has a wheel of each package, or it has no lock.\n",
    )
    assert not (project.folder / "pylock.build.toml").exists()
