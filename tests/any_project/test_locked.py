"""A project with a lock, built by `nixw` on the Debian set: what is in its environment is what the lock says.

The wheels are made here, and pip is configured with the folder that they lie in; but for one with compiled code, which is
taken from this repository's own lock.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.any_project.test_add import nixw as nixw_with_index
from tests.any_project.test_sentences import ENVIRONMENT, NIXW, PROJECT

FLAKE = """{
  inputs.django-image.url = "git+file:///not/there";
  inputs.nixpkgs.follows = "django-image/nixpkgs";
  outputs = { self, nixpkgs, django-image }: {
    packages.x86_64-linux.image = django-image.lib.mkDjangoImage {
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
      src = ./.;
      settingsModule = "shop.settings";
      %s
    };
  };
}
"""
# In each wheel, so that none is in the store from an earlier run.
NEW = uuid.uuid4()
PYPROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = []\n'
COMPILED = json.loads((NIXW.parent / "nix/debian/lock.json").read_text())["wheels"]["ast-serialize"]
# Of the Python index: version, and the wheel's SHA-256.
PSYCOPG = ("3.3.2", "3e94bc5f4690247d734599af56e51bae8e0db8e4311ea413f801fef82b14a99b")
CONNECT = """
import psycopg
try:
    psycopg.connect("host=127.0.0.1 port=9")
except psycopg.Error as error:
    libraries = {line.split()[-1] for line in open("/proc/self/maps") if "/libpq.so" in line}
    print(psycopg.pq.__impl__, type(error).__name__, *libraries)
"""
LISTING = """
import importlib.metadata, json
print(json.dumps({one.name: one.version for one in importlib.metadata.distributions()}))
"""


class Project:
    """A folder with a Django project, and one with the wheels that its pylock.toml names."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wheels = folder / "shop", folder / "index"
        self.wheels.mkdir()
        self.packages: list[str] = []
        # What is asked for is the lock's own affair here.
        self.write(PROJECT | {"flake.nix": FLAKE % "", "pyproject.toml": PYPROJECT})

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def lock(self, name: str, version: str, file: str, sha256: str) -> None:
        self.lock_entry(
            f'name = "{name}"\nversion = "{version}"\n'
            f'wheels = [{{ url = "https://index.example.org/{file}", hashes = {{ sha256 = "{sha256}" }} }}]\n'
        )

    def lock_entry(self, text: str) -> None:
        self.packages.append(f"[[packages]]\n{text}")
        head = 'lock-version = "1.0"\ncreated-by = "a test"\nrequires-python = ">=3.12"\n\n'
        self.write({"pylock.toml": head + "\n".join(self.packages)})

    def lock_source(self, name: str, version: str, source: Path) -> None:
        sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        self.lock_entry(
            f'name = "{name}"\nversion = "{version}"\n'
            f'sdist = {{ url = "https://index.example.org/{source.name}", hashes = {{ sha256 = "{sha256}" }} }}\n'
        )

    def lock_new(self, name: str, version: str, **files: str) -> Path:
        """Make a pure wheel, and name it in the lock."""
        wheel = make_wheel(self.wheels, name, version, **files)
        self.lock(name, version, wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest())
        return wheel

    def nixw(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = ENVIRONMENT | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        return subprocess.run(
            [NIXW, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True
        )

    def build(self, attribute: str) -> Path:
        link = self.folder / f"result-{attribute}"
        built = self.nixw("build", f".#image.{attribute}", "--out-link", str(link))
        assert built.returncode == 0, built.stderr
        return link.resolve()

    def derivation(self, attribute: str) -> str:
        evaluated = self.nixw("eval", "--raw", f".#image.{attribute}.drvPath")
        assert evaluated.returncode == 0, evaluated.stderr
        return evaluated.stdout


def make_source(
    folder: Path,
    name: str,
    version: str,
    pyproject: str,
    more: Mapping[str, str] = MappingProxyType({}),
    **files: str,
) -> Path:
    """A source distribution of a package with these modules, and with more files on top."""
    source = folder / f"{name}-{version}.tar.gz"
    texts = {"pyproject.toml": pyproject, "PKG-INFO": f"Summary: {folder} {NEW}\n"}
    texts |= {f"{name}/{module}.py": text for module, text in files.items()} | dict(more)
    with tarfile.open(source, "w:gz") as archive:
        for file, text in texts.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{file}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return source


def make_wheel(folder: Path, name: str, version: str, **files: str) -> Path:
    """A pure wheel. In one run, the same arguments give the same bytes."""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for module, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{module}.py"), text)
        for file, text in {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {folder} {NEW}\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "entry_points.txt": f"[console_scripts]\n{name} = {name}.cli:main\n",
            "RECORD": "",
        }.items():
            archive.writestr(zipfile.ZipInfo(f"{info}/{file}"), text)
    return wheel


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def run(*command: str | Path) -> str:
    result = subprocess.run(command, env={}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_what_the_lock_says_is_there_and_nothing_else(project):
    """What the lock has not got is the package set's: gunicorn, and what is asked for besides, here pytest. But of what
    that needs, packaging is the lock's."""
    project.write({"flake.nix": FLAKE % "extraPackages = packages: [ packages.pytest ];"})
    project.lock_new("greeting", "1.5", __init__="", cli="def main(): print('hello')")
    project.lock_new("packaging", "0.1", __init__="")
    project.lock("ast-serialize", COMPILED["version"], COMPILED["file"], COMPILED["sha256"])
    environment = project.build("environment")
    python = environment / "bin/python3"

    found = json.loads(run(python, "-c", LISTING))
    assert all(found.pop(name) for name in ("gunicorn", "pytest", "pluggy", "iniconfig", "Pygments"))
    locked = {"greeting": "1.5", "packaging": "0.1", "ast_serialize": COMPILED["version"]}
    assert found == locked
    assert run(environment / "bin/greeting") == "hello\n"
    libraries = run(python, "-c", "import ast_serialize; print(open('/proc/self/maps').read())")
    assert "/lib/x86_64-linux-gnu/libgcc_s.so.1" in libraries

    # The bill of materials is the lock.
    components = json.loads(project.build("sbom").read_text())["components"]
    listed = {
        one["externalReferences"][0]["url"]: one["hashes"][0]["content"]
        for one in components
        if "hashes" in one
    }
    own = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in project.wheels.iterdir()}
    assert listed == own | {COMPILED["file"]: COMPILED["sha256"]}


def test_source_distributions_and_folders_are_built(project):
    """One by setuptools, without a pyproject.toml's [build-system], and one, in the project, by hatchling."""
    old = '[project]\nname = "old"\nversion = "2"\n[tool.setuptools]\npackages = ["old"]\n'
    source = make_source(project.wheels, "old", "2", old, __init__="", cli="def main(): print('built')")
    project.lock_source("old", "2", source)
    project.write(
        {
            "packages/beside/pyproject.toml": '[project]\nname = "beside"\nversion = "3"\n[build-system]\n'
            'requires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
            "packages/beside/beside/__init__.py": "",
        }
    )
    project.lock_entry('name = "beside"\ndirectory = { path = "packages/beside" }\n')
    python = project.build("environment") / "bin/python3"
    found = json.loads(run(python, "-c", LISTING))
    assert (found["old"], found["beside"]) == ("2", "3")
    assert run(python, "-c", "import old.cli, beside; old.cli.main()") == "built\n"
    components = json.loads(project.build("sbom").read_text())["components"]
    [old_one] = [one for one in components if one["name"] == "old"]
    assert old_one["externalReferences"][0]["url"] == "old-2.tar.gz"


@pytest.mark.parametrize(
    ("pyproject", "sentence"),
    [
        (
            '[build-system]\nrequires = ["maturin>=1,<2"]\nbuild-backend = "maturin"\n',
            "odd is built by maturin, which compiles Rust: only C and C++ are compiled here. Ask for a version that has",
        ),
        (
            '[build-system]\nrequires = ["pdm-backend"]\nbuild-backend = "pdm.backend"\n',
            "odd asks to be built with pdm-backend, and there is none: `nixw lock` locks what it asks for, for it alone.",
        ),
        ('[project]\nname = "odd"\n', "odd could not be built: "),
    ],
)
def test_what_cannot_be_built_is_said(project, pyproject, sentence):
    project.lock_source("odd", "1", make_source(project.wheels, "odd", "1", pyproject))
    refused = project.nixw("build", ".#image.environment", "--no-link", "--print-build-logs")
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_another_version_rebuilds_that_package_and_the_environment_alone(project):
    project.lock_new("greeting", "1.5", __init__="")
    project.lock_new("other", "1", __init__="")
    before = project.derivation("environment")
    project.packages.clear()
    project.lock_new("greeting", "1.6", __init__="")
    project.lock_new("other", "1", __init__="")
    changed = set(requisites(before)) ^ set(requisites(project.derivation("environment")))
    assert {path[len("/nix/store/") + 33 :] for path in changed if path.endswith(".drv")} == {
        "greeting-1.5-py3-none-any.whl.drv",
        "greeting-1.6-py3-none-any.whl.drv",
        "python3-greeting-1.5.drv",
        "python3-greeting-1.6.drv",
        "python3-environment.drv",
    }


def test_psycopg_that_is_not_compiled_finds_libpq(project):
    """A driver of the Python index, in pure Python: it reaches out for a server."""
    version, sha256 = PSYCOPG
    project.lock("psycopg", version, f"psycopg-{version}-py3-none-any.whl", sha256)
    link = project.folder / "result"
    built = nixw_with_index(project.folder, "build", ".#image.environment", "--out-link", str(link))
    assert built.returncode == 0, built.stderr
    said = run(link.resolve() / "bin/python3", "-c", CONNECT)
    # The machine may have one, too.
    assert re.fullmatch(r"python OperationalError /nix/store/[^ ]*-libpq5-[^ ]*\n", said)


@pytest.mark.parametrize("compiled", ["psycopg_binary", "psycopg_c"])
def test_psycopg_that_is_compiled_takes_no_library_of_the_set(project, compiled):
    project.lock_new("psycopg", "3", __init__="")

    def libraries() -> list[str]:
        return [path for path in requisites(project.derivation("environment")) if "-libpq5-" in path]

    assert libraries()
    project.lock_new(compiled, "3", __init__="")
    assert not libraries()


def requisites(derivation: str) -> list[str]:
    return run("/usr/bin/nix-store", "--query", "--requisites", derivation).split()


def test_a_file_that_differs_from_the_lock_is_refused(project):
    wheel = project.lock_new("greeting", "1.5", __init__="")
    make_wheel(project.wheels, "greeting", "1.5", __init__="evil = True")
    assert wheel.exists()
    refused = project.nixw("build", ".#image.environment", "--no-link")
    assert refused.returncode == 101
    assert (
        "The Python index has another file of greeting==1.5 than the lock names, with another SHA-256:"
        in refused.stderr
    )
    assert "Traceback" not in refused.stderr


def test_a_file_that_the_index_has_not_is_said(project):
    project.lock_new("greeting", "1.5", __init__="").unlink()
    refused = project.nixw("build", ".#image.environment", "--no-link")
    assert refused.returncode == 101
    assert "greeting==1.5" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wheel_in_the_project_is_taken_from_there(project):
    wheel = make_wheel(project.folder, "local", "1", __init__="")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    project.lock("local", "1", wheel.name, sha256)
    lock = (project.folder / "pylock.toml").read_text()
    project.write(
        {
            "pylock.toml": lock.replace(
                f'url = "https://index.example.org/{wheel.name}"', f'path = "{wheel.name}"'
            )
        }
    )
    found = json.loads(run(project.build("environment") / "bin/python3", "-c", LISTING))
    assert found["local"] == "1"


def test_a_package_of_the_set_in_the_place_of_the_locks(project):
    project.lock_new("packaging", "0.1", __init__="")
    project.lock_new("psycopg2", "0.1", __init__="")
    project.write({"flake.nix": FLAKE % 'fromPackageSet = [ "psycopg2" ];'})
    found = json.loads(run(project.build("environment") / "bin/python3", "-c", LISTING))
    assert found["packaging"] == "0.1"
    assert found["psycopg2"].startswith("2.")


def translated(*languages: str, folder: str = "locale") -> dict[str, str]:
    """Modules of a package that stand for its translations, and for its formats."""
    return {
        f"{folder}/{language}/{file}": ""
        for language in languages
        for file in ("LC_MESSAGES/django", "formats")
    }


def test_packages_keep_the_translations_that_are_asked_for(project):
    """And English; and of a country's language that of all countries, to which Django falls back."""
    every = ("en", "en_GB", "de", "pt", "pt_BR", "zh_Hans", "fr")
    project.lock_new("django", "9", __init__="", **translated(*every, folder="conf/locale"))
    project.lock_new("greeting", "1", __init__="", **translated(*every), **{"i18n/fr": ""})
    project.lock_new("human", "1", __init__="", **translated("de_DE", "fr_FR", "zh_CN"))
    project.write({"flake.nix": FLAKE % 'languages = [ "de" "pt-br" "zh-hans" ];'})
    (site,) = project.build("environment").glob("lib/python3*/site-packages")
    for folder in (site / "django/conf/locale", site / "greeting/locale"):
        assert {path.name for path in folder.iterdir()} == {"en", "de", "pt", "pt_BR", "zh_Hans"}
        assert (folder / "pt_BR/formats.py").is_file()
    assert (site / "greeting/i18n/fr.py").is_file()
    assert [path.name for path in (site / "human/locale").iterdir()] == ["de_DE"]


def test_a_misspelt_language_is_refused(project):
    project.lock_new("django", "9", __init__="", **translated("en", "de", folder="conf/locale"))
    project.write({"flake.nix": FLAKE % 'languages = [ "de" "ger" ];'})
    refused = project.nixw("build", ".#image.environment", "--no-link")
    assert refused.returncode == 1
    assert "`languages` names ger, into which Django is not translated" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            'fromPackageSet = [ "psycopg" ];',
            "`fromPackageSet` names psycopg, which is not among what pylock.toml has for this image",
        ),
        (
            'fromPackageSet = [ "greeting" ];',
            "`fromPackageSet` names greeting, which the package set has not got as a Python package.",
        ),
    ],
)
def test_what_cannot_be_is_said(project, arguments, sentence):
    project.lock_new("greeting", "1.5", __init__="")
    project.write({"flake.nix": FLAKE % arguments})
    refused = project.nixw("build", ".#image.environment", "--no-link")
    assert refused.returncode == 1
    assert sentence in " ".join(refused.stderr.split())


def test_a_python_that_the_set_has_not_is_said(project):
    project.write({"pyproject.toml": PYPROJECT + 'requires-python = ">=3.14"\n'})
    refused = project.nixw("build", ".#image.environment", "--no-link")
    assert refused.returncode == 1
    assert (
        'pyproject.toml has `requires-python = ">=3.14"`, but the package set has Python 3.13.'
        in refused.stderr
    )
