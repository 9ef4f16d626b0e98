"""manage.py: the settings module that it uses, and how it fails."""

from __future__ import annotations

import pytest

SHOW = (
    "manage.py",
    "shell",
    "--no-imports",
    "-c",
    "from django.conf import settings; print(settings.SETTINGS_MODULE)",
)


@pytest.mark.proves("`manage.py` honours the variable, and falls back to local settings")
@pytest.mark.parametrize("variables", [{}, {"DJANGO_SETTINGS_MODULE": ""}])
def test_falls_back_to_local(run, backend, variables):
    result = run(backend, variables, *SHOW)
    assert result.stdout.split() == ["config.settings.local"], result.stderr


@pytest.mark.proves("`manage.py` honours the variable, and falls back to local settings")
def test_honours_the_variable(run, backend, production):
    result = run(backend, production, *SHOW)
    assert result.stdout.split() == ["config.settings.production"], result.stderr


def test_local_settings_need_nothing(run, project):
    """A developer's first two commands, on SQLite."""
    assert run(project, {}, "manage.py", "migrate").returncode == 0
    assert (project / "db.sqlite3").is_file()
    assert run(project, {}, "manage.py", "check").returncode == 0


def test_configuration_problems_are_sentences(run, backend):
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings.production"}
    result = run(backend, variables, "manage.py", "migrate")
    assert result.returncode == 10
    lines = result.stderr.splitlines()
    assert [line.split()[0] for line in lines] == [
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "CORS_ALLOWED_ORIGINS",
        "POSTGRES_PASSWORD",
    ]


@pytest.mark.parametrize("module", ["config.settings.staging", "nowhere", "nowhere.settings"])
def test_settings_module_that_does_not_exist(run, backend, module):
    result = run(backend, {"DJANGO_SETTINGS_MODULE": module}, "manage.py", "check")
    assert result.returncode == 10
    assert result.stderr.startswith(f"DJANGO_SETTINGS_MODULE names '{module}', which does not exist")
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_module_of_the_project_keeps_its_traceback(run, project):
    (project / "broken.py").write_text("import no_such_dependency\n")
    result = run(project, {"DJANGO_SETTINGS_MODULE": "broken"}, "manage.py", "check")
    assert result.returncode == 1
    assert "No module named 'no_such_dependency'" in result.stderr
