"""Another project, by `nixw` in its folder: one sentence for each thing that it lacks. Needs no network beyond seeding."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

NIXW = Path(__file__).resolve().parents[2] / "nixw"
# The machine's own programs: this may run in a development shell, whose Python has not got what nixw needs.
ENVIRONMENT = {
    "HOME": os.environ["HOME"],
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "NIXW_PACKAGES": "debian",
}
FLAKE = """{
  inputs.django-image.url = "git+file:///not/there";
  inputs.nixpkgs.follows = "django-image/nixpkgs";
  outputs = { self, nixpkgs, django-image }: {
    image = django-image.lib.mkDjangoImage {
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
      src = ./.;
      %s
    };
  };
}
"""
PROJECT = {
    "manage.py": "",
    "shop/__init__.py": "",
    "shop/settings.py": "",
    "shop/wsgi.py": "",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["Django"]\n',
}
SETTINGS = 'settingsModule = "shop.settings";'


@pytest.fixture
def evaluate(tmp_path):
    """Evaluate the image of a project with other files (None: without that one); return code and error."""

    def run(changes: dict[str, str | None], arguments: str = SETTINGS) -> tuple[int, str]:
        for name, text in ({"flake.nix": FLAKE % arguments} | PROJECT | changes).items():
            if text is not None:
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_text(text)
        result = subprocess.run(
            [NIXW, "eval", "--raw", ".#image.drvPath"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        return result.returncode, " ".join(result.stderr.split())

    return run


def dependencies(*lines: str) -> dict[str, str]:
    return {
        "pyproject.toml": f'[project]\nname = "shop"\nversion = "1"\ndependencies = {json.dumps(lines)}\n'
    }


def test_a_project_that_has_everything(evaluate):
    windows = (
        "tzdata; sys_platform == 'win32' or (python_version in '2.7, 3.6' and platform_machine != 'arm')"
    )
    code, error = evaluate(dependencies("Django>=5, <7", windows))
    assert code == 0, error


@pytest.mark.parametrize(
    ("changes", "arguments", "sentence"),
    [
        (
            {"manage.py": None, "backend/manage.py": ""},
            SETTINGS,
            (
                "has no manage.py: `src` must be the folder of a Django project, the one with manage.py (perhaps"
                " backend)."
            ),
        ),
        ({"pyproject.toml": None}, SETTINGS, "has no pyproject.toml: its [project] table says which Python"),
        (
            {"pyproject.toml": None, "requirements.txt": "Django\n"},
            SETTINGS,
            (
                "has no pyproject.toml, only requirements.txt: make a lock of it with `nixw lock --from"
                " requirements.txt`, or pyproject.toml with `nixw add -r requirements.txt`."
            ),
        ),
        (
            {"pyproject.toml": "[tool.black]\nline-length = 88\n"},
            SETTINGS,
            "has no [project] table with `name` and `dependencies`: list there what the image needs",
        ),
        (
            {},
            f'{SETTINGS} languages = [ "de" ];',
            "`languages` is about packages that a lock names, and the project has none: make one",
        ),
        (
            {},
            "",
            (
                "has no settings module config.settings.production: say with `settingsModule` which one it is"
                " (perhaps shop.settings, or one in it)."
            ),
        ),
        (
            {"shop/wsgi.py": None},
            SETTINGS,
            "has no module shop.wsgi: say with `wsgiApplication` what gunicorn is to serve.",
        ),
        (
            dependencies("Django", "no-such-package>=1"),
            SETTINGS,
            (
                'pyproject.toml asks for "no-such-package>=1", but the package set has no Python package'
                " no-such-package. With the Debian set, run `nixw relock` in the project's folder"
            ),
        ),
        (
            dependencies("Django<3"),
            SETTINGS,
            'pyproject.toml asks for "Django<3", but the package set has django ',
        ),
        (
            dependencies("Django[fast]"),
            SETTINGS,
            'pyproject.toml asks for "Django[fast]", but in the package set django has no extra "fast".',
        ),
        (
            dependencies("Django @ https://example.org/django.whl"),
            SETTINGS,
            "which is no name with a version: write NAME>=VERSION.",
        ),
        (
            dependencies('Django; platform_machine = "x86_64"'),
            SETTINGS,
            "which is no environment marker: write it as VARIABLE == 'VALUE', joined by `and`, `or` and parentheses.",
        ),
    ],
    ids=lambda value: None if not isinstance(value, str) else value[:24],
)
def test_what_is_missing_is_said_in_a_sentence(evaluate, changes, arguments, sentence):
    code, error = evaluate(changes, arguments)
    assert code == 1
    assert sentence in error
    assert error.count("error: ") == 1
