"""A project whose settings are a class, which django-configurations itself reads."""

from __future__ import annotations

import json
import textwrap

import pytest

pytest.importorskip(
    "configurations", reason="django-configurations is in the environment of nix develop and flake check"
)

WSGI = """\
import os
os.environ.setdefault("DJANGO_CONFIGURATION", "Development")
from configurations.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


@pytest.fixture
def of_a_class(project):
    """The project, with all its settings in a class, and another class that cannot be used."""
    file = project.directory / "config/settings/production.py"
    head, body = file.read_text().split("\n\n", 1)
    base = textwrap.indent(body.replace("BASE_DIR /", "Path(__file__).resolve().parents[2] /"), "    ")
    file.write_text(
        f"{head}\nfrom configurations import Configuration, values\n"
        f"class Production(Configuration):\n{base}"
        "    MESSAGE = values.Value('none')\n"
        "class Demanding(Production):\n    WANTED = values.Value(environ_required=True, environ_prefix=None)\n"
    )
    project.write("config/wsgi.py", WSGI)
    project.write(
        "config/urls.py",
        (project.directory / "config/urls.py")
        .read_text()
        .replace('"pid": os.getpid()', '"pid": os.getpid(), "message": settings.MESSAGE')
        .replace("import os", "from django.conf import settings\nimport os", 1),
    )
    return project


def test_it_boots_and_serves(boot, of_a_class):
    running = boot(DJANGO_CONFIGURATION="Production", DJANGO_MESSAGE="read from a variable").serving()
    about = json.loads(running.get("/about/").body)
    assert about["message"] == "read from a variable"
    assert (of_a_class.directory / about["url"].replace("/static/", "staticfiles/", 1)).is_file()
    assert about["url"] != "/static/shop/site.css"
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            None,
            "has its settings in a class (django-configurations): name it with DJANGO_CONFIGURATION.",
        ),
        ("Prodction", "Couldn't find configuration 'Prodction' in module 'config.settings'"),
        ("Demanding", "WANTED"),
    ],
)
def test_a_class_that_cannot_be_used(boot, of_a_class, name, sentence):
    running = boot(DJANGO_CONFIGURATION=name, POSTGRES_PORT="1")
    assert running.exit_code() == 10
    assert sentence in running.error
    assert "Traceback" not in running.output
