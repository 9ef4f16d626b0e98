"""`nixw add`: what it writes into a project's files. What it locks is tested in test_wheels.py."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import add
from wheels import LockError

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[project]\nname = "shop"\n',
        "[project]\ndependencies = []\n",
        '[project]\ndependencies = ["Django"] # on one line\nname = "shop"\n\n[tool.x]\ndependencies = ["y"]\n',
        "[project]\ndependencies = [\n    'Django',\n    'foo[bar]' # no comma, and a ] in a comment\n    # \"last\"\n]\n",
        "[project]\ndependencies = [\n\t\"a; python_version < '3.9'\",\n]\n[tool]\n",
    ],
)
def test_insert_adds_to_the_array_and_changes_nothing_else(text):
    before = tomllib.loads(text)
    after = tomllib.loads(add.insert(text, "project", "dependencies", ["new>=1", "newer"]))
    wanted = before.get("project", {}).get("dependencies", []) + ["new>=1", "newer"]
    assert after.pop("project") == before.pop("project", {}) | {"dependencies": wanted}
    assert after == before


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_insert_whatever_the_style(old, new, multiline, trailing):
    separator = ",\n  " if multiline else ", "
    body = separator.join(f'"{name}"' for name in old) + ("," if old and trailing else "")
    text = f"[project]\ndependencies = [{body}]\nname = 'x'\n"
    changed = tomllib.loads(add.insert(text, "project", "dependencies", new))
    assert changed == {"project": {"name": "x", "dependencies": old + new}}


def test_comments_stay():
    text = "[project]\ndependencies = [\n  'a', # why\n]\n"
    assert add.insert(text, "project", "dependencies", ["b"]) == (
        "[project]\ndependencies = [\n  'a', # why\n  \"b\",\n]\n"
    )


def test_what_is_there_already_is_refused_or_skipped(tmp_path):
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\nname = "shop"\ndependencies = ["Django>=5"]\n')
    with pytest.raises(LockError, match="has 'Django>=5' already: change it there"):
        add.with_python(pyproject, ["django"], lenient=False)
    assert add.with_python(pyproject, ["django"], lenient=True) == pyproject.read_text()


def test_a_project_file_is_begun(tmp_path):
    text = add.with_python(tmp_path / "pyproject.toml", ["Django"], lenient=False)
    project = tomllib.loads(text)["project"]
    assert project["dependencies"] == ["Django"]
    assert project["name"]


def test_dependencies_of_another_tool_are_refused(tmp_path):
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\nname = "shop"\ndynamic = ["dependencies"]\n')
    with pytest.raises(LockError, match="takes its dependencies from another tool"):
        add.with_python(pyproject, ["Django"], lenient=False)


@pytest.mark.parametrize("wanted", ["not a name", "", ">=1"])
def test_what_is_no_requirement_is_refused(tmp_path, wanted):
    with pytest.raises(LockError, match="cannot be read"):
        add.with_python(tmp_path / "pyproject.toml", [wanted], lenient=False)


def test_requirements_files(tmp_path, capsys):
    (tmp_path / "base.txt").write_text("Django==5.2 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n")
    top = tmp_path / "requirements.txt"
    top.write_text("# all\n-r base.txt\n-e ../mine\n\nfoo[bar]>=1  # why\nbaz; sys_platform == 'linux'\n")
    assert add.listed(top) == ["Django==5.2", "foo[bar]>=1", "baz; sys_platform == 'linux'"]
    assert "-e is left out" in capsys.readouterr().err
    with pytest.raises(LockError, match="cannot be read: No such file"):
        add.listed(tmp_path / "none.txt")


def test_debian_packages(tmp_path):
    settings = tmp_path / "packages.toml"
    settings.write_text(add.with_debian(settings, ["libmagic1t64", "psycopg=python3-psycopg"]))
    again = tomllib.loads(add.with_debian(settings, ["libmagic1t64", "gettext"]))
    assert again == {
        "debian": {"roots": ["libmagic1t64", "gettext"]},
        "wheels": {"debian": {"psycopg": "python3-psycopg"}},
    }
