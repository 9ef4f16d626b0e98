"""ensure_superuser: idempotent, careful with passwords, and safe when replicas run it together."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import UserManager
from django.core.management import CommandError, call_command
from django.db import connection, connections

PASSWORD = "correct horse battery"


@pytest.fixture
def variables(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chef")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "chef@example.com")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD_FILE", raising=False)
    return monkeypatch


def users():
    return get_user_model().objects


@pytest.mark.django_db
def test_creates_a_superuser_who_can_log_in(variables, client, capsys):
    call_command("ensure_superuser")
    user = users().get()
    assert (user.username, user.email, user.is_staff, user.is_superuser) == (
        "chef",
        "chef@example.com",
        True,
        True,
    )
    assert client.login(username="chef", password=PASSWORD)
    assert client.get("/admin/").status_code == 200
    output = capsys.readouterr()
    assert output.out == "Superuser 'chef' created.\n"
    assert PASSWORD not in output.out + output.err


@pytest.mark.proves("The superuser is ensured after collectstatic, once")
@pytest.mark.django_db
def test_again_changes_nothing(variables, capsys):
    call_command("ensure_superuser")
    before = users().values().get()
    variables.setenv("DJANGO_SUPERUSER_PASSWORD", "another one")
    variables.setenv("DJANGO_SUPERUSER_EMAIL", "other@example.com")
    call_command("ensure_superuser")
    assert users().values().get() == before
    assert "exists already" in capsys.readouterr().out


@pytest.mark.django_db
def test_promotes_and_keeps_the_password(variables, client):
    users().create_user("chef", password="their own")
    call_command("ensure_superuser")
    user = users().get()
    assert user.is_staff
    assert user.is_superuser
    assert user.check_password("their own")


@pytest.mark.django_db
def test_email_is_optional(variables):
    variables.delenv("DJANGO_SUPERUSER_EMAIL")
    call_command("ensure_superuser")
    assert users().get().email == ""


@pytest.mark.django_db
def test_password_from_a_file(variables, tmp_path, client):
    file = tmp_path / "password"
    file.write_text("from a file\n")
    variables.delenv("DJANGO_SUPERUSER_PASSWORD")
    variables.setenv("DJANGO_SUPERUSER_PASSWORD_FILE", str(file))
    call_command("ensure_superuser")
    assert client.login(username="chef", password="from a file")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DJANGO_SUPERUSER_USERNAME", "", "DJANGO_SUPERUSER_USERNAME is not set"),
        ("DJANGO_SUPERUSER_PASSWORD", "", "DJANGO_SUPERUSER_PASSWORD is empty"),
        ("DJANGO_SUPERUSER_USERNAME", "no blanks!", "DJANGO_SUPERUSER_USERNAME: Enter a valid username"),
        ("DJANGO_SUPERUSER_USERNAME", "x" * 151, "DJANGO_SUPERUSER_USERNAME: "),
        ("DJANGO_SUPERUSER_EMAIL", "nowhere", "DJANGO_SUPERUSER_EMAIL: Enter a valid email address"),
    ],
)
def test_bad_variables(variables, name, value, sentence):
    variables.setenv(name, value)
    with pytest.raises(CommandError) as refused:
        call_command("ensure_superuser")
    assert str(refused.value).startswith(sentence)
    assert PASSWORD not in str(refused.value)
    assert not users().exists()


@pytest.mark.proves("A weak password makes no superuser")
@pytest.mark.django_db
@pytest.mark.parametrize("password", ["a", "password123", "93481265471", "chef@example.com"])
def test_a_password_that_the_projects_validators_refuse(variables, settings, password):
    variables.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    with pytest.raises(CommandError) as refused:
        call_command("ensure_superuser")
    (sentence,) = str(refused.value).split("\n")
    said = sentence.removeprefix("DJANGO_SUPERUSER_PASSWORD: ")
    assert said != sentence
    assert password == "a" or password not in said
    assert not users().exists()
    settings.AUTH_PASSWORD_VALIDATORS = []  # a project may have none
    call_command("ensure_superuser")
    assert users().get().check_password(password)


@pytest.mark.django_db
def test_the_weak_password_of_before_does_not_stop_an_old_installation(variables):
    users().create_superuser("chef", password="a")
    variables.setenv("DJANGO_SUPERUSER_PASSWORD", "a")
    call_command("ensure_superuser")
    assert users().get().check_password("a")


@pytest.mark.django_db(transaction=True)
def test_before_the_tables_exist(variables):
    call_command("migrate", "auth", "zero", verbosity=0)
    try:
        with pytest.raises(CommandError, match="migrate the database first"):
            call_command("ensure_superuser")
    finally:
        call_command("migrate", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_replicas_at_once(variables):
    """Four replicas all see that there is no such user, and only then create it."""
    everyone = threading.Barrier(4, timeout=30)
    create = UserManager.create_superuser
    failures: list[BaseException] = []

    def create_together(*arguments):
        everyone.wait()
        return create(*arguments)

    def replica():
        try:
            call_command("ensure_superuser")
        except BaseException as error:  # noqa: BLE001 -- the assertion below shows it
            failures.append(error)
        finally:
            connections.close_all()

    variables.setattr(UserManager, "create_superuser", create_together)
    threads = [threading.Thread(target=replica) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert users().count() == 1
    assert users().get().is_superuser
    assert connection.vendor == "postgresql"
