"""The superuser: only when asked for, created once, never in a log."""

from __future__ import annotations

import pytest

from tests.entrypoint.booting import STAGES

AUTH = "INSTALLED_APPS += ['django.contrib.contenttypes', 'django.contrib.auth']"
PASSWORD = "swordfish-and-chips"
ASKED = {"DJANGO_SUPERUSER_USERNAME": "root", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}


def users(sql, database: str) -> list[tuple]:
    return sql("SELECT username, email, is_superuser, is_staff FROM auth_user", database=database)


@pytest.mark.proves("The superuser is ensured after collectstatic, once")
def test_created_once_and_after_collectstatic(boot, project, sql, database, tmp_path):
    project.add_setting(AUTH)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    asked = {"DJANGO_SUPERUSER_USERNAME": "root", "DJANGO_SUPERUSER_PASSWORD_FILE": str(secret)}
    first = boot(**asked, DJANGO_SUPERUSER_EMAIL="root@example.org").serving()
    stages = list(dict.fromkeys(record["stage"] for record in first.records if "stage" in record))
    assert stages == [*STAGES[:-1], "superuser", "serve"]
    assert users(sql, database) == [("root", "root@example.org", True, True)]
    assert PASSWORD not in first.output
    first.stop()
    (before,) = sql("SELECT password FROM auth_user", database=database)
    second = boot(**asked).serving()
    assert second.messages(stage="superuser") == ["The superuser root exists."]
    assert sql("SELECT password FROM auth_user", database=database) == [before]


def test_not_asked_for(boot, project, sql, database):
    project.add_setting(AUTH)
    running = boot().serving()
    assert users(sql, database) == []
    assert "superuser" not in [record.get("stage") for record in running.records]


def test_a_user_model_with_another_name_field(boot, project, sql, database):
    project.write(
        "people/models.py",
        "from django.contrib.auth.models import AbstractBaseUser, BaseUserManager\n"
        "from django.db import models\n\n"
        "class Manager(BaseUserManager):\n    def create_superuser(self, email, password):\n"
        "        person = Person(email=email, boss=True)\n        person.set_password(password)\n"
        "        person.save()\n        return person\n\n"
        "class Person(AbstractBaseUser):\n    email = models.EmailField(unique=True)\n"
        "    boss = models.BooleanField(default=False)\n    USERNAME_FIELD = 'email'\n"
        "    objects = Manager()\n",
    )
    project.write("people/__init__.py", "")
    project.write("people/migrations/__init__.py", "")
    project.add_setting(AUTH + " + ['people']\nAUTH_USER_MODEL = 'people.Person'")
    assert boot("manage", "makemigrations", "people").exit_code() == 0
    boot(**ASKED, DJANGO_SUPERUSER_EMAIL="root@example.org").serving()
    assert sql("SELECT email, boss FROM people_person", database=database) == [("root@example.org", True)]


@pytest.mark.proves("A weak password makes no superuser")
def test_a_weak_password_where_the_project_has_no_command_of_its_own(boot, project, sql, database):
    rules = ("UserAttributeSimilarity", "MinimumLength", "CommonPassword")
    names = [{"NAME": f"django.contrib.auth.password_validation.{rule}Validator"} for rule in rules]
    project.add_setting(f"{AUTH}\nAUTH_PASSWORD_VALIDATORS = {names}")
    name, address = "DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_EMAIL"
    for password, changes, why in (
        ("iloveyou", {}, "too common"),
        ("quartermaster", {name: "quartermaster1"}, "too similar to the username"),
        ("quartermaster", {address: "quartermaster@example.org"}, "too similar to the email address"),
    ):
        running = boot(**{**ASKED, **changes, "DJANGO_SUPERUSER_PASSWORD": password})
        assert running.exit_code() == 16
        assert "AUTH_PASSWORD_VALIDATORS refuse DJANGO_SUPERUSER_PASSWORD. Th" in running.error
        assert why in running.error
        assert users(sql, database) == []
    boot(**ASKED).serving().stop()
    # What exists is not judged.
    boot(**{**ASKED, "DJANGO_SUPERUSER_PASSWORD": "a"}).serving()
    assert [row[0] for row in users(sql, database)] == ["root"]


def give_own_command(project, body: str) -> None:
    """An `ensure_superuser` of the project's own; `body` is what it does."""
    for folder in ("management", "management/commands"):
        project.write(f"shop/{folder}/__init__.py", "")
    project.write(
        "shop/management/commands/ensure_superuser.py",
        "import os\nfrom django.core.management.base import BaseCommand, CommandError\n\n"
        f"class Command(BaseCommand):\n    def handle(self, **options):\n        {body}\n",
    )


def test_the_projects_own_command_is_used(boot, project):
    give_own_command(project, "self.stdout.write('our own: ' + os.environ['DJANGO_SUPERUSER_USERNAME'])")
    running = boot(**ASKED).serving()
    assert running.messages(stage="superuser") == ["our own: root"]


def test_a_failure_ends_the_boot_but_in_emergency_mode(boot, project):
    give_own_command(project, "raise CommandError('no room for another')")
    running = boot(**ASKED)
    assert running.exit_code() == 16
    assert "The superuser cannot be created: CommandError: no room for another" in running.error
    forgiven = boot(**ASKED, MIGRATIONS_STRICT="0").serving()
    assert any("no room for another" in each for each in forgiven.messages(level="WARNING"))


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD"),
        ("DJANGO_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_USERNAME"),
        ("DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_USERNAME and DJANGO_SUPERUSER_PASSWORD"),
    ],
)
def test_half_a_superuser(boot, name, missing):
    running = boot(**{name: "half-a-superuser"})
    assert running.exit_code() == 10
    assert f"{name} is set without {missing}" in running.error
