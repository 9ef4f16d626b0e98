"""`nixw init`: the flake.nix that it writes in a folder, what it says, and what it refuses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.any_project.test_sentences import ENVIRONMENT, NIXW

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")\n'
BASE = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent.parent\n"
PYPROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["Django"]\n'


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NIXW, "init", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )


def arguments(folder: Path) -> list[str]:
    """The arguments of mkDjangoImage in its flake.nix, but the two that all have."""
    text = (folder / "flake.nix").read_text()
    lines = text.split("mkDjangoImage {\n")[1].split("};\n")[0].splitlines()
    return [line.strip() for line in lines if line.strip()][1:-1]


def found(result: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return {line.split(":")[0]: line.split(":", 1)[1].strip() for line in result.stdout.splitlines()}


def test_the_template_gets_its_own_flake_back(tmp_path):
    template = NIXW.parent / "templates/default"
    shutil.copytree(template, tmp_path / "site")
    (tmp_path / "site/flake.nix").unlink()
    said = found(init(tmp_path / "site"))
    assert said["packages"] == "no lock: the package set's versions of what pyproject.toml asks for"
    ours, theirs = (
        [line for line in (folder / "flake.nix").read_text().splitlines() if "django-image.url" not in line]
        for folder in (tmp_path / "site", template)
    )
    assert ours == theirs
    evaluated = subprocess.run(
        [NIXW, "eval", "--raw", ".#image.drvPath"],
        cwd=tmp_path / "site",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert evaluated.returncode == 0, evaluated.stderr


def test_production_settings_in_a_folder_below_and_a_repository(tmp_path):
    """What Django runs with, the folders that it writes to, and git's index."""
    write(
        tmp_path,
        {
            "server/manage.py": "import sys\n"
            + MANAGE.format("shop.settings.dev")
            + "sys.path.append(os.path.join(os.path.dirname(__file__), 'apps'))\n",
            "server/shop/wsgi.py": MANAGE.format("shop.settings"),
            "server/shop/settings/__init__.py": "",
            "server/shop/settings/base.py": BASE
            + 'WSGI_APPLICATION = "shop.wsgi.application"\nSTATIC_ROOT = BASE_DIR / "var" / "static"\n'
            + 'LOGGING = {"handlers": {"file": {"filename": str(BASE_DIR / "log" / "django.log")}}}\n',
            "server/shop/settings/dev.py": "from .base import *\n",
            "server/shop/settings/production.py": "from .base import *\nimport os\n"
            'MEDIA_ROOT = os.environ.get("MEDIA", "/srv/media")\n',
            "pyproject.toml": PYPROJECT,
            "uv.lock": "",
            "tests/site/.venv/manage.py": MANAGE,
        },
    )
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    said = found(init(tmp_path))
    assert arguments(tmp_path) == [
        "src = ./server;",
        "pyproject = ./pyproject.toml;",
        'settingsModule = "shop.settings.production";',
        "writable = [",
        '"log"',
        '"var/static"',
        "];",
        'env.PYTHONPATH = "/app/apps";',
    ]
    assert said["manage.py"] == "in server"
    assert said["settings"].startswith("shop.settings.production, beside shop.settings; not sure: there are ")
    assert said["MEDIA_ROOT"].startswith("/srv/media; not sure: it is outside the project")
    assert said["packages"] == "exactly what uv.lock says"
    assert said["Written"] == "flake.nix, and added to git's index"
    tracked = subprocess.run(["git", "-C", tmp_path, "ls-files"], capture_output=True, text=True)
    assert tracked.stdout.split() == ["flake.nix"]


def test_a_project_of_modules_without_a_folder_and_without_pyproject(tmp_path):
    write(
        tmp_path / "My Shop",
        {
            "manage.py": MANAGE.format("settings"),
            "settings.py": "import os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
            "def here(*names):\n    return os.path.join(HERE, *names)\n"
            'STATIC_ROOT = here("collected")\nMEDIA_ROOT = f"{HERE}/uploads"\n'
            'WSGI_APPLICATION = "wsgi.app"\n',
            "wsgi.py": "",
            "requirements.txt": "Django==5.2\n",
        },
    )
    said = found(init(tmp_path / "My Shop"))
    assert arguments(tmp_path / "My Shop") == [
        "src = ./.;",
        'name = "my-shop";',
        'settingsModule = "settings";',
        'wsgiApplication = "wsgi:app";',
        "writable = [",
        '"collected"',
        '"uploads"',
        "];",
    ]
    assert said["Written"] == "flake.nix"
    assert said["packages"].startswith("first run `nixw lock --from requirements.txt`")


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ('STATIC_ROOT = os.path.join(os.path.dirname(os.path.dirname(__file__)), "s")', "s"),
        ('STATIC_ROOT = Path(__file__).parents[1] / "s"', "s"),
        ('STATIC_ROOT = Path(__file__).resolve().parent.joinpath("s")', "shop/s"),
        ('root = environ.Path(__file__) - 2\nSTATIC_ROOT = root("s")', "s"),
        ('STATIC_ROOT = env("STATIC", default="s")', "s"),
        (
            'def at(*names):\n    return str(Path(__file__).parent.joinpath(*names))\nSTATIC_ROOT = at("s")',
            "shop/s",
        ),
        # Where the project is in the image.
        ('STATIC_ROOT = env("STATIC", default="/app/s")', "s"),
        ('STATIC_ROOT = "/application/s"', None),
        ('STATIC_ROOT: str = os.getenv("STATIC", "a/s")', "a/s"),
        ('if unknown():\n    STATIC_ROOT = "/s"\nelse:\n    STATIC_ROOT = "s"', "s"),
        ('class Base(Configuration):\n    STATIC_ROOT = values.PathValue("s")', "s"),
        ('STATIC_ROOT = "/".join(["s"])', None),
        ("STATIC_ROOT = compute()", None),
        ("STATIC_ROOT = None", None),
    ],
)
def test_how_a_folder_may_be_written(tmp_path, text, folder):
    write(tmp_path, {"manage.py": MANAGE.format("shop.settings"), "shop/wsgi.py": ""})
    write(tmp_path, {"shop/settings.py": f"import os\nfrom pathlib import Path\n{text}\n"})
    said = found(init(tmp_path))
    assert said["STATIC_ROOT"] == folder or (folder is None and "not sure" in said["STATIC_ROOT"])
    assert (f'"{folder}"' in arguments(tmp_path)) == (folder is not None)


@pytest.mark.parametrize(
    ("files", "application"),
    [
        ({"shop/asgi.py": "", "shop/wsgi.py": ""}, None),
        ({"shop/settings.py": 'ASGI_APPLICATION = "shop.asgi.app"\n', "shop/wsgi.py": ""}, None),
        (
            {
                "shop/settings.py": 'ASGI_APPLICATION = "shop.asgi.app"\n',
                "shop/asgi.py": "",
                "shop/wsgi.py": "",
            },
            "shop.asgi:app",
        ),
        ({"shop/asgi.py": ""}, "shop.asgi:application"),
    ],
)
def test_an_asgi_application_that_is_the_one_to_serve(tmp_path, files, application):
    write(tmp_path, {"manage.py": MANAGE.format("shop.settings"), "shop/settings.py": "", **files})
    said = found(init(tmp_path))
    assert [line for line in arguments(tmp_path) if "Application" in line] == (
        [f'asgiApplication = "{application}";'] if application else []
    )
    assert ("ASGI application" in said, "WSGI application" in said) == (bool(application), not application)


@pytest.mark.parametrize(
    ("names", "file"),
    [
        (["requirements/dev.txt", "requirements/prod.txt", "requirements/base.txt"], "requirements/prod.txt"),
        (["requirements/base.txt", "requirements/test.txt"], "requirements/base.txt"),
        (["requirements/dev.txt"], None),
    ],
)
def test_requirements_in_a_folder(tmp_path, names, file):
    write(tmp_path, {"manage.py": MANAGE.format("settings"), "settings.py": "", **dict.fromkeys(names, "")})
    said = found(init(tmp_path))["packages"]
    assert said.startswith(f"first run `nixw lock --from {file}`" if file else "not found")


def test_the_projects_own_folder_is_none_outside_it(tmp_path):
    write(tmp_path, {"manage.py": MANAGE.format("settings")})
    write(tmp_path, {"settings.py": 'import os\nMEDIA_ROOT = os.path.join(os.path.dirname(__file__), "")\n'})
    assert found(init(tmp_path))["MEDIA_ROOT"].startswith("the project's own folder; not sure: ")


def test_classes_of_settings(tmp_path):
    write(tmp_path, {"manage.py": MANAGE.format("shop.settings"), "shop/wsgi.py": ""})
    classes = "from configurations import Configuration\nclass Base(Configuration): ...\nclass Production(Base): ...\n"
    write(tmp_path, {"shop/settings.py": classes})
    assert found(init(tmp_path))["DJANGO_CONFIGURATION"] == "Production; not sure: there are Base too"
    assert 'env.DJANGO_CONFIGURATION = "Production";' in arguments(tmp_path)


@pytest.mark.parametrize(
    ("files", "words", "sentence"),
    [
        ({}, [], "there is no manage.py here, nor in a folder below: run this in a Django project."),
        (
            {"a/manage.py": MANAGE, "b/c/manage.py": MANAGE},
            [],
            "there are several projects, in a, b/c: name one with `nixw init FOLDER`.",
        ),
        ({}, ["a"], "a has no manage.py: name the folder of a Django project that has it."),
        ({}, [".."], ".. is not below this folder: run `nixw init` in the project's own."),
        ({}, ["--force"], "use `nixw init`, or `nixw init FOLDER` for the folder of manage.py."),
        (
            {"flake.nix": "{ }", "manage.py": MANAGE},
            [],
            "there is a flake.nix here, which stays as it is: move it away, or add to it by hand.",
        ),
        (
            {"manage.py": MANAGE.format("not.there")},
            [],
            "neither manage.py nor a wsgi.py says which settings module is the project's: copy",
        ),
        (
            {"manage.py": MANAGE.format("settings"), "settings.py": "", "pyproject.toml": "[project"},
            [],
            "pyproject.toml cannot be read: ",
        ),
        (
            {"manage.py": MANAGE.format("settings"), "settings.py": "", "pyproject.toml": "project = 1"},
            [],
            "pyproject.toml has a `project` or a `tool` that is no table: correct it.",
        ),
    ],
)
def test_what_is_refused(tmp_path, files, words, sentence):
    write(tmp_path, files)
    result = init(tmp_path, *words)
    assert result.returncode == 103
    assert result.stderr.startswith(f"init: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert (tmp_path / "flake.nix").exists() == ("flake.nix" in files)


def test_one_of_several_projects_can_be_named(tmp_path):
    write(tmp_path, {"a/manage.py": MANAGE.format("settings"), "a/settings.py": "", "b/manage.py": MANAGE})
    found(init(tmp_path, "a"))
    assert arguments(tmp_path)[:3] == ["src = ./a;", 'name = "a";', 'settingsModule = "settings";']


SOURCE = 'import os\nA = os.path.join(os.path.dirname(__file__), *("b", f"{c}"))\nSTATIC_ROOT = A / str(B)("c")[0] - 3\n'


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(SOURCE)), st.sampled_from([*"()[]*/-.,=\"'A{\n", "", "__file__"])))
)
def test_settings_that_are_no_python_are_read_without_a_traceback(tmp_path_factory, changes):
    from sources import Settings

    text = SOURCE
    for place, new in changes:
        text = text[:place] + new + text[place + 1 :]
    file = tmp_path_factory.mktemp("odd") / "settings.py"
    file.write_text(text)
    for value in Settings([file.parent], file).values("STATIC_ROOT"):
        assert isinstance(value, str)
