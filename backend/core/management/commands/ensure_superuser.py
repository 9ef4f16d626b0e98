"""`manage.py ensure_superuser`: the superuser that DJANGO_SUPERUSER_USERNAME and its fellows name exists."""

from __future__ import annotations

import os

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, IntegrityError, transaction

from config.env import Environment


class Command(BaseCommand):
    help = (
        "Creates the superuser named by DJANGO_SUPERUSER_USERNAME, with DJANGO_SUPERUSER_PASSWORD (or the "
        "content of DJANGO_SUPERUSER_PASSWORD_FILE) and DJANGO_SUPERUSER_EMAIL, if there is no such user. An "
        "existing user becomes a superuser and keeps the password. May be run any number of times, and by "
        "several replicas at once."
    )

    def handle(self, *args: object, **options: object) -> None:
        username = os.environ.get("DJANGO_SUPERUSER_USERNAME", "")
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL", "")
        env = Environment(os.environ)
        if not username:
            env.problem("DJANGO_SUPERUSER_USERNAME is not set: give it the superuser's name.")
        password = env.secret("DJANGO_SUPERUSER_PASSWORD")
        if env.problems:
            raise CommandError("\n".join(env.problems))
        try:
            self.stdout.write(f"Superuser {username!r} {ensure_superuser(username, email, password)}.")
        except ValidationError as error:
            problems = (
                f"DJANGO_SUPERUSER_{field.upper()}: {' '.join(messages)}"
                for field, messages in error.message_dict.items()
            )
            raise CommandError("\n".join(problems)) from None
        except DatabaseError as error:
            reason = str(error).partition("\n")[0]
            raise CommandError(
                f"Cannot write the superuser ({reason}): migrate the database first."
            ) from error


def ensure_superuser(username: str, email: str, password: str) -> str:
    """Create or promote the user; returns what was done, to be read after the user's name.

    Raises ValidationError when the name or the address is not a valid one, or when
    AUTH_PASSWORD_VALIDATORS refuse the password of a new user.
    """
    users = get_user_model()._default_manager
    if not users.filter(username=username).exists():
        user = users.model(username=username, email=email)
        user.clean_fields(exclude=["password"])
        refuse_weak(password, user)
        try:
            with transaction.atomic():
                users.create_superuser(username, email, password)
            return "created"
        except IntegrityError:  # another replica was faster
            pass
    promoted = (
        users.filter(username=username)
        .exclude(is_staff=True, is_superuser=True)
        .update(is_staff=True, is_superuser=True)
    )
    return "promoted, with the password it had" if promoted else "exists already, nothing changed"


def refuse_weak(password: str, user: AbstractBaseUser) -> None:
    """Raise a ValidationError of the field `password` when the project's validators refuse it."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from None
