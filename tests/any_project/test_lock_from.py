"""`nixw lock --from`: a requirements.txt or a poetry.lock as a pylock.toml, with the same versions and hashes, or a sentence.

The wheels are made here, and pip is configured with the folder that they lie in.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pins
import poetry
from tests.any_project.locks import LOCKS, brief, packages
from tests.any_project.test_init import init
from tests.any_project.test_locked import LISTING, make_wheel, run
from tests.any_project.test_sentences import ENVIRONMENT, NIXW
from wheels import LockError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NONE = "0" * 64


class Project:
    """A folder with a Django project, and one with the wheels that an index would have."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wheels = folder / "shop", folder / "index"
        self.wheels.mkdir()
        self.write(
            "manage.py", 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
        )
        self.write("shop/settings.py", "")
        self.write("shop/wsgi.py", "")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def wheel(self, name: str, version: str, *needs: str, tag: str = "py3-none-any") -> str:
        """Make a wheel; its SHA-256."""
        made = make_wheel(self.wheels, name, version, __init__="")
        wheel = made.rename(self.wheels / f"{name}-{version}-{tag}.whl")
        if needs:
            with zipfile.ZipFile(wheel) as archive:
                files = {info: archive.read(info) for info in archive.namelist()}
            metadata = f"{name}-{version}.dist-info/METADATA"
            files[metadata] += "".join(f"Requires-Dist: {each}\n" for each in needs).encode()
            with zipfile.ZipFile(wheel, "w") as archive:
                for file, content in files.items():
                    archive.writestr(zipfile.ZipInfo(file), content)
        return hashlib.sha256(wheel.read_bytes()).hexdigest()

    def nixw(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = ENVIRONMENT | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)} | variables
        return subprocess.run(
            [NIXW, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True
        )

    def lock(self, file: str, *options: str) -> dict:
        result = self.nixw("lock", "--from", file, *options)
        assert result.returncode == 0, result.stderr
        lock = tomllib.loads((self.folder / "pylock.toml").read_text())
        return lock

    def refused(self, file: str, *options: str, code: int = 103, **variables: str) -> str:
        result = self.nixw("lock", "--from", file, *options, **variables)
        assert result.returncode == code, result.stderr
        assert not (self.folder / "pylock.toml").exists()
        [sentence] = result.stderr.splitlines()
        return sentence.removeprefix("lock: ")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def listed(lock: dict) -> list[str]:
    return [f"{one['name']} {one.get('version')}" for one in lock["packages"]]


def test_a_requirements_txt_becomes_an_image_with_nothing_else_in_it(project):
    """Without a pyproject.toml: from a fresh folder, by init, lock and build, to what is installed."""
    asked = project.wheel("greeting", "1.5", "other>=1")
    other = project.wheel("other", "1")
    project.wheel("greeting", "1.6")
    project.write("requirements.txt", "-r requirements/base.txt\nother == 1  # needed by greeting\n")
    project.write(
        "requirements/base.txt",
        "Greeting==1.5; python_version >= '3.8'\nunused==2; sys_platform == 'win32'\n",
    )
    project.wheel("unused", "2")
    assert init(project.folder).returncode == 0
    lock = project.lock("requirements.txt")
    assert listed(lock) == ["greeting 1.5", "other 1", "unused 2"]
    assert [one["wheels"][0]["hashes"]["sha256"] for one in lock["packages"][:2]] == [asked, other]
    assert all(one["wheels"][0].keys() == {"name", "hashes"} for one in lock["packages"])

    built = project.nixw("build", ".#image.environment", "--out-link", "result")
    assert built.returncode == 0, built.stderr
    found = json.loads(run((project.folder / "result").resolve() / "bin/python3", "-c", LISTING))
    assert found.pop("gunicorn")
    assert found == {"greeting": "1.5", "other": "1"}

    # Later, the lock is an older one.
    project.write("requirements/base.txt", "greeting==1.6\n")
    refused = project.nixw("build", ".#image.environment", "--no-link")
    assert refused.returncode == 1
    assert "pylock.toml is older than requirements/base.txt: run `nixw lock --from` again." in refused.stderr
    assert listed(project.lock("requirements.txt")) == ["greeting 1.6", "other 1"]


def test_only_files_with_the_hashes_of_the_requirements_are_taken(project):
    """The index may have more of them than when the file was made."""
    project.wheel("greeting", "1.5")
    other = project.wheel("greeting", "1.5", "whatever", tag="py3.py2-none-any")
    project.write(
        "requirements.txt",
        f"greeting==1.5 \\\n    --hash=sha256:{other} \\\n    --hash=sha256:{NONE}\n    # via x\n",
    )
    [package] = project.lock("requirements.txt")["packages"]
    assert [wheel["hashes"]["sha256"] for wheel in package["wheels"]] == [other]


def test_what_is_not_pinned_is_chosen_only_when_asked_for(project):
    project.wheel("greeting", "1.5", "other")
    project.wheel("greeting", "1.6")
    project.wheel("other", "1")
    project.wheel("other", "2")
    project.write("requirements.txt", "greeting==1.5\n")
    assert project.refused("requirements.txt") == (
        "requirements.txt does not pin other, which what it pins needs: add these lines, or let `nixw lock --from"
        " requirements.txt --complete` choose their versions."
    )
    assert listed(project.lock("requirements.txt", "--complete")) == ["greeting 1.5", "other 2"]


def test_addresses_in_requirements(project):
    project.write(
        "requirements.txt",
        f"one @ git+https://name:secret@example.org/one.git@{COMMIT}#subdirectory=src\n"
        f"-e git+ssh://git@example.org/two.git@{COMMIT}#egg=two\n"
        f"three @ https://example.org/three-1-py3-none-any.whl#sha256={NONE}\n-e .\n",
    )
    one, three, two = project.lock("requirements.txt")["packages"]
    assert one["vcs"] == {
        "type": "git",
        "url": "https://example.org/one.git",
        "commit-id": COMMIT,
        "subdirectory": "src",
    }
    assert two["vcs"]["url"].endswith("example.org/two.git")
    assert three["archive"] == {
        "url": "https://example.org/three-1-py3-none-any.whl",
        "hashes": {"sha256": NONE},
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("greeting>=1.5\n", "requirements.txt:1 does not pin greeting (>=1.5), so this is no lock: write greeting==VERSION"),
        ("# names\n\ngreeting\n", "requirements.txt:3 does not pin greeting (any version), so this is no lock:"),
        ("greeting==1.*\n", "requirements.txt:1 does not pin greeting (==1.*), so this is no lock:"),
        ("greeting = 1.5\n", "requirements.txt:1 is no name with a version: 'greeting = 1.5'; write NAME==VERSION"),
        (
            f"greeting==1.5 --hash=sha256:{NONE}\nother==1\n",
            "requirements.txt:2 has no --hash for other, and others have: make the file anew.",
        ),
        ("greeting==1.5 --hash=md5:00\n", "requirements.txt:1 has a --hash that is no SHA-256 in hexadecimal:"),
        ("greeting==1.5\ngreeting==1.6\n", "requirements.txt:2 and requirements.txt:1 both pin greeting, differently:"),
        (
            "one @ git+https://example.org/one.git@main\n",
            "requirements.txt:1 asks for one by an address that is not pinned: name the commit",
        ),
        ("-r nowhere.txt\n", "nowhere.txt cannot be read: No such file or directory."),
        ("# nothing\n", "requirements.txt lists no package."),
        ("-r requirements.txt\n", "requirements.txt lists no package."),
    ],
)  # fmt: skip
def test_requirements_that_are_no_lock(tmp_path, text, sentence):
    (tmp_path / "requirements.txt").write_text(text)
    with pytest.raises(LockError) as refused:
        pins.read(tmp_path / "requirements.txt")
    assert str(refused.value).startswith(sentence)


def test_what_the_index_has_not_is_said(project):
    project.wheel("greeting", "1.5")
    project.write("requirements.txt", f"greeting==1.5 --hash=sha256:{NONE}\n")
    assert project.refused("requirements.txt").startswith(
        "requirements.txt:1 names other hashes than the Python index has of greeting==1.5: make the file anew, or"
    )
    project.write("requirements.txt", "greeting==9\n")
    assert project.refused("requirements.txt").startswith(
        "The Python index has no greeting==9: correct the version,"
    )
    project.write("requirements.txt", "no-such-thing==9\n")
    assert (
        project.refused("requirements.txt")
        == "The Python index has no package no-such-thing: correct its name."
    )


def test_an_index_that_does_not_answer_is_said(project):
    project.write("requirements.txt", "greeting==1.5\n")
    away = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    assert project.refused("requirements.txt", code=101, **away) == (
        "The Python index that pip is configured with cannot be reached."
    )


def test_what_is_there_already_stays(project):
    project.write("requirements.txt", "greeting==1.5\n")
    assert project.refused("nowhere.txt") == "there is no file nowhere.txt."
    assert project.refused("requirements.txt", "--verbose").startswith("use `nixw lock --from FILE`, with a")
    project.write("uv.lock", "")
    assert project.refused("requirements.txt").startswith("there is a uv.lock, which is read as it is")
    (project.folder / "uv.lock").unlink()
    project.write("pylock.toml", 'created-by = "uv"\n')
    result = project.nixw("lock", "--from", "requirements.txt")
    assert result.returncode == 103
    assert "pylock.toml was not made by this command, and stays as it is: move it away." in result.stderr
    assert (project.folder / "pylock.toml").read_text() == 'created-by = "uv"\n'


# poetry.lock


POETRY = (LOCKS.parent / "poetry/poetry.lock").read_text()
FIXTURE = LOCKS.parent / "poetry"
CASES = json.loads((FIXTURE / "cases.json").read_text())


@pytest.fixture
def poetry_lock(project):
    for name in ("poetry.lock", "pyproject.toml"):
        shutil.copy(FIXTURE / name, project.folder)
    return project


def test_a_poetry_lock_says_the_same_as_before(poetry_lock):
    """For each choice of groups and extras, and each machine: what Poetry would install. Hosts are the lock's own."""
    text = json.dumps(poetry_lock.lock("poetry.lock"))
    assert set(re.findall(r"https?://([^/]+)", text)) == {"index.example.org", "git.example.org"}
    for case in CASES:
        found = [brief(package) for package in packages(poetry_lock.folder, **case["arguments"])]
        assert found == case["packages"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'lock-version = "2.1"',
            'lock-version = "2.0"',
            (
                "poetry.lock has the lock version 2.0, which does not say what is for which group: `poetry lock` of Poetry 2"
                " writes it anew, and keeps the versions."
            ),
        ),
        ('lock-version = "2.1"', 'lock-version = "3.0"', "poetry.lock has the lock version 3.0, and only 2.1 can be read."),
        ("[metadata]", "[meta]", "poetry.lock is not as Poetry writes it (KeyError: 'metadata'): run `poetry lock`."),
        ('groups = ["main"]', "", "poetry.lock is not as Poetry writes it (KeyError: 'groups'): run `poetry lock`."),
        ("[[package]]", "[[package", "poetry.lock cannot be read: "),
        (
            "sys_platform ==",
            "sys_platform is",
            "poetry.lock has for colorama the condition 'sys_platform is \"win32\"', which is no marker: run",
        ),
        ('type = "git"', 'type = "hg"', "poetry.lock has repository from a source of type hg, which is not known."),
        (
            'name = "django"',
            'name = "flask"',
            "poetry.lock is older than pyproject.toml: it does not have django; run `poetry lock`.",
        ),
    ],
)  # fmt: skip
def test_a_poetry_lock_that_cannot_be_read(tmp_path, old, new, sentence):
    shutil.copy(FIXTURE / "pyproject.toml", tmp_path)
    assert old in POETRY
    (tmp_path / "poetry.lock").write_text(POETRY.replace(old, new, 1))
    with pytest.raises(LockError) as refused:
        poetry.translate(tmp_path / "poetry.lock", tmp_path)
    assert str(refused.value).startswith(sentence)


def test_a_lock_that_was_made_of_another_is_not_resolved_anew(poetry_lock):
    poetry_lock.lock("poetry.lock")
    before = (poetry_lock.folder / "pylock.toml").read_bytes()
    refused = poetry_lock.nixw("relock")
    assert refused.returncode == 101
    assert "pylock.toml is made of another lock: change that, then `nixw lock --from FILE`." in refused.stderr
    assert (poetry_lock.folder / "pylock.toml").read_bytes() == before


def said_or_refused(read):
    """What is read, or None if one sentence refuses it."""
    try:
        return read()
    except LockError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) == 1
    return None


changes = st.lists(
    st.tuples(
        st.integers(0, len(POETRY)), st.integers(0, 60), st.sampled_from([*'"[]{}=,\n\\#:', "", "x", "1"])
    ),
    min_size=1,
    max_size=3,
)


@settings(deadline=None, max_examples=200)
@given(changes)
def test_a_damaged_poetry_lock_is_refused_or_says_nothing_new(tmp_path_factory, changes):
    """No traceback; no file and no version but the lock's own."""
    text = POETRY
    for place, length, new in changes:
        text = text[:place] + new + text[place + length :]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "poetry.lock").write_text(text)
    content = said_or_refused(lambda: poetry.translate(folder / "poetry.lock", folder))
    if content is None:
        return
    whole = tomllib.loads(text)["package"]
    said = {(file["file"], file["hash"]) for package in whole for file in package["files"]}
    for package in content["packages"]:
        for file in package.get("wheels", []):
            assert {(file["name"], f"{kind}:{digest}") for kind, digest in file["hashes"].items()} <= said


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab=<>!~*;@#\\-r e.:/'\"[]()1\n \t", max_size=60))
def test_any_line_of_requirements_is_pinned_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("lines") / "requirements.txt"
    file.write_text(text)
    found = said_or_refused(lambda: pins.read(file))
    assert found is None or all(pin.version or pin.address for pin in found.pins)
