"""Each lock that cannot be read is refused in one sentence, that names what is wrong and what mends it.

Needs `nix-instantiate`.
"""

from __future__ import annotations

import re
import shutil

import pytest

from tests.any_project.locks import LOCKS, packages, sentence

UV, PYLOCK, BUILD = "uv.lock", "pylock.toml", "pylock.build.toml"
OLDER = (
    "pylock.build.toml is older than pylock.toml, or than what that takes from the project: it does not say what this {} is"
    " built with. To lock that, run `nixw lock`."
)
# A fixture, one of its files, what is replaced in it by what (a pattern, once), arguments, and the sentence.
REFUSED = [
    ("shop", UV, r"(?s).*", "", {}, "uv.lock is empty: run `uv lock`."),
    (
        "shop",
        UV,
        r"(?s)(.{5000}).*",
        r"\1",
        {},
        "uv.lock is cut off, its last line is not complete: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        r"(?s)(wheels = \[\n).*",
        r"\1",
        {},
        "uv.lock is cut off, its last line is not complete: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        r"\n\[\[package\]\]",
        "\n<<<<<<< HEAD\n[[package]]",
        {},
        "uv.lock has the marks of a merge conflict: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        "version = 1\n",
        "version = 2\n",
        {},
        (
            "uv.lock has version 2, and only version 1 can be read: write it with a uv that writes that, or export it with"
            " `uv export --format pylock.toml`."
        ),
    ),
    ("shop", UV, "version = 1\n", "", {}, "uv.lock has no `version`: run `uv lock`."),
    (
        "shop",
        UV,
        "",
        "",
        {"python": "3.11.9"},
        (
            "uv.lock is for Python >=3.12, and this one is 3.11.9: change `requires-python` in pyproject.toml, and run `uv"
            " lock`."
        ),
    ),
    (
        "shop",
        "pyproject.toml",
        'name = "Shop.Site"',
        'name = "store"',
        {},
        "uv.lock has no package store, which is this project's name in pyproject.toml: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        "",
        "",
        {"extras": ["s3"]},
        "uv.lock has no extra s3 of shop-site (it has all, compiled, jobs): correct the name, or run `uv lock`.",
    ),
    (
        "shop",
        UV,
        "",
        "",
        {"groups": ["production"]},
        "uv.lock has no group production of shop-site (it has dev, lint, web-server): correct the name, or run `uv lock`.",
    ),
    (
        "forks",
        UV,
        "",
        "",
        {"extras": ["old", "new"]},
        "uv.lock says that new and old exclude each other: choose one of them.",
    ),
    (
        "shop",
        UV,
        r'(name = "asgiref"\nversion = )"3.8.1"',
        r'\1"3.8.2"',
        {},
        (
            "uv.lock has for asgiref 3.8.2 the wheel asgiref-3.8.1-py3-none-any.whl, which is another package's or version's:"
            " run `uv lock`."
        ),
    ),
    (
        "shop",
        UV,
        r'\[\[package\]\]\nname = "asgiref"',
        '[[package]]\nname = "other"',
        {},
        "uv.lock has no package asgiref, which django 5.2.1 requires: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        r'(?s)(\[\[package\]\]\nname = "asgiref".*?)(?=\[\[package\]\])',
        r"\1\1",
        {},
        'uv.lock has a package twice, asgiref 3.8.1 {"registry":"https://index.example.org/simple/"}: run `uv lock`.',
    ),
    (
        "forks",
        UV,
        r'\{ name = "numpy", version = "2.3.1", source = [^}]*\}',
        '{ name = "numpy"',
        {},
        "uv.lock has several packages numpy and does not say which of them forks 1 requires: run `uv lock`.",
    ),
    (
        "forks",
        UV,
        r", marker = \"platform_machine == 'aarch64'\"",
        "",
        {},
        "uv.lock has numpy in several versions for this Python, 2.2.6 and 2.3.1: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        r"platform_machine == 'x86_64'",
        "platform_machine is 'x86_64'",
        {},
        (
            "uv.lock has the condition \"platform_machine is 'x86_64'\", which is no environment marker: write it as VARIABLE"
            " == 'VALUE', joined by `and`, `or` and parentheses."
        ),
    ),
    (
        "shop",
        UV,
        r'(asgiref-3.8.1-py3-none-any.whl", hash = "sha256:)[0-9a-f]*',
        r"\1abc",
        {},
        (
            'uv.lock has for asgiref-3.8.1-py3-none-any.whl of asgiref 3.8.1 the hash "sha256:abc", which is no SHA-256 in'
            " hexadecimal: run `uv lock`."
        ),
    ),
    (
        "shop",
        UV,
        r'(asgiref-3.8.1-py3-none-any.whl"), hash = "[^"]*"',
        r"\1",
        {},
        (
            "uv.lock has no hash for asgiref-3.8.1-py3-none-any.whl of asgiref 3.8.1, so what is fetched could be anything: run"
            " `uv lock`."
        ),
    ),
    (
        "sources",
        UV,
        r'(pathwheel-3.0-py3-none-any.whl", hash = "sha256:)22d4',
        r"\g<1>22d5",
        {},
        (
            "uv.lock has another hash for pathwheel-3.0-py3-none-any.whl of pathwheel 3.0 than the file"
            " wheels/pathwheel-3.0-py3-none-any.whl has: run `uv lock`."
        ),
    ),
    (
        "sources",
        UV,
        r'#[0-9a-f]{40}"',
        '"',
        {},
        "uv.lock has for repository 3 a Git address without a revision: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        r"newglibc-1.0-cp313-cp313-(manylinux_2_34_x86_64|manylinux1_x86_64).whl(?s:.*)newglibc-1.0-[^/]*whl",
        "newglibc-1.0-cp313-cp313-musllinux_1_2_x86_64.whl",
        {},
        (
            "uv.lock has no wheel of newglibc 1.0 for Python 3.13.5 on x86_64 Linux, and no source distribution: choose another"
            " version of it, and run `uv lock`."
        ),
    ),
    (
        "shop",
        UV,
        r"asgiref-3.8.1-py3-none-any.whl",
        "asgiref-3.8.1.whl",
        {},
        'uv.lock has a wheel of asgiref 3.8.1 named "asgiref-3.8.1.whl", which is no wheel\'s name: run `uv lock`.',
    ),
    (
        "shop",
        UV,
        r'\nname = "django"\nversion = "5.2.1"',
        '\nname = "django"\nversion = 5',
        {},
        "uv.lock has in django a `version` that is not a text: run `uv lock`.",
    ),
    (
        "shop",
        UV,
        r'dependencies = \[\n    \{ name = "asgiref" \},',
        'dependencies = [\n    "asgiref",',
        {},
        "uv.lock has in django 5.2.1 a `dependencies` that is not a list of tables: run `uv lock`.",
    ),
    # Older than pyproject.toml.
    (
        "shop",
        "pyproject.toml",
        r'"greenlet",',
        '"greenlet >= 3",',
        {},
        (
            'uv.lock is older than pyproject.toml: it does not know "greenlet>=3". For what pyproject.toml says now, run `uv'
            " lock`."
        ),
    ),
    (
        "shop",
        "pyproject.toml",
        r'"greenlet",',
        "",
        {},
        (
            'uv.lock is older than pyproject.toml: it has "greenlet", which is not asked for like that any more. For what'
            " pyproject.toml says now, run `uv lock`."
        ),
    ),
    (
        "shop",
        "pyproject.toml",
        r'"pytest"',
        '"pytest", "coverage"',
        {},
        (
            'uv.lock is older than pyproject.toml: it does not know "coverage". For what pyproject.toml says now, run `uv'
            " lock`."
        ),
    ),
    (
        "shop",
        "pyproject.toml",
        "celery.redis.",
        "celery",
        {},
        (
            'uv.lock is older than pyproject.toml: it does not know "celery>=5,<6". For what pyproject.toml says now, run `uv'
            " lock`."
        ),
    ),
    (
        "shop",
        "pyproject.toml",
        ">=3.12",
        ">=3.13",
        {},
        "uv.lock is older than pyproject.toml: it is for Python >=3.12. For what pyproject.toml says now, run `uv lock`.",
    ),
    (
        "listed",
        PYLOCK,
        'lock-version = "1.0"',
        'lock-version = "2.0"',
        {},
        "pylock.toml has the lock version 2.0, and only version 1.0 can be read: make it anew in that.",
    ),
    ("listed", PYLOCK, 'lock-version = "1.0"', "", {}, "pylock.toml has no `lock-version`: make it anew."),
    (
        "listed",
        PYLOCK,
        'requires-python = ">=3.10"',
        'requires-python = ">=3.14"',
        {},
        "pylock.toml is for Python >=3.14 (django 5.2.1), and this one is 3.13.5: make it anew for this one.",
    ),
    (
        "listed",
        PYLOCK,
        "sys_platform == 'linux' and",
        "sys_platform == 'darwin' and",
        {},
        "pylock.toml is not for x86_64 Linux and Python 3.13.5: make it anew with that among its `environments`.",
    ),
    (
        "listed",
        PYLOCK,
        "",
        "",
        {"extras": ["gcs"]},
        "pylock.toml has neither an extra nor a group gcs: correct the name, or make it anew with it.",
    ),
    (
        "listed",
        PYLOCK,
        "platform_machine == 'aarch64'",
        "platform_machine == 'x86_64'",
        {},
        "pylock.toml has numpy several times for this Python: make it anew.",
    ),
    (
        "listed",
        PYLOCK,
        r'\ndirectory = \{ path = "folder"',
        '\narchive = { url = "https://files.example.org/a.tar.gz" }\ndirectory = { path = "folder"',
        {},
        "pylock.toml has several sources for folder: make it anew.",
    ),
    (
        "listed",
        PYLOCK,
        'type = "git"',
        'type = "hg"',
        {},
        "pylock.toml has repository from a version control system that is not Git: make it anew with a wheel of it.",
    ),
    (
        "listed",
        "pyproject.toml",
        "Django>=5",
        "Django>=6",
        {},
        (
            'pylock.toml is older than pyproject.toml: it does not have "Django>=6". For what pyproject.toml says now, make it'
            " anew."
        ),
    ),
    ("built", PYLOCK, r'(new-2.0.tar.gz.*sha256 = ")....', r"\1abcd", {}, OLDER.format("new")),
    ("built", PYLOCK, "48771712", "48771713", {}, OLDER.format("repository")),
    ("built", "beside/pyproject.toml", "hatchling", "flit-core", {}, OLDER.format("beside")),
    ("built", "pyproject.toml", '"cython>=3"', '"cython>=3.1"', {}, OLDER.format("old")),
    ("built", "pyproject.toml", '"cython<4"', '"cython<3.5"', {}, OLDER.format("beside")),
    ("built", BUILD, '"new", "old"', '"old"', {}, OLDER.format("new")),
    (
        "built",
        BUILD,
        '"nixw lock"',
        '"uv"',
        {},
        "pylock.build.toml was not made by `nixw lock`: move it away, and run that.",
    ),
    ("built", BUILD, r"(?s).*", "", {}, "pylock.build.toml is empty: run `nixw lock`."),
    (
        "built",
        BUILD,
        "hatchling-1.29.0-py3",
        "hatchling-1.28.0-py3",
        {},
        (
            "pylock.build.toml has for hatchling 1.29.0 the wheel hatchling-1.28.0-py3-none-any.whl, which is another"
            " package's or version's: run `nixw lock`."
        ),
    ),
    (
        "built",
        "pyproject.toml",
        '"cython>=3"',
        "3",
        {},
        "pyproject.toml has in [tool.uv.extra-build-dependencies] a `Old` that is not a list of texts: correct it.",
    ),
    (
        "named",
        "pyproject.toml",
        '"psycopg2"',
        '"psycopg2", "celery"',
        {},
        (
            'pylock.toml is older than pyproject.toml: it does not have "celery". For what pyproject.toml says now, make it'
            " anew."
        ),
    ),
]


@pytest.mark.parametrize(("name", "file", "pattern", "text", "arguments", "expected"), REFUSED)
def test_a_lock_that_cannot_be_read(tmp_path, name, file, pattern, text, arguments, expected):
    folder = tmp_path / name
    shutil.copytree(LOCKS / name, folder)
    before = (folder / file).read_text()
    after = re.sub(pattern, text, before, count=1)
    assert after != before or not pattern
    (folder / file).write_text(after)
    assert sentence(folder, **arguments) == expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        # In other words, the same.
        (r"Django\[argon2\] ~= 5.2", "django[Argon2]~=5.2"),
        (r"numpy \(>=2\)", "NumPy>=2.0"),
        (">=3.12", ">= 3.12"),
        ("in 'x86_64 aarch64'", "not in 'arm'"),
        # Without consequence on this system.
        (r'"cycle-a",', '"cycle-a", "colorama; sys_platform == \'win32\'",'),
    ],
)
def test_a_lock_that_is_not_older_than_pyproject(tmp_path, pattern, text):
    folder = tmp_path / "shop"
    shutil.copytree(LOCKS / "shop", folder)
    file = folder / "pyproject.toml"
    changed = re.sub(pattern, text, file.read_text(), count=1)
    assert changed != file.read_text()
    file.write_text(changed)
    assert packages(folder) == packages(LOCKS / "shop")
