"""Stage 5, superuser: create it if there is none of that name. Only when DJANGO_SUPERUSER_* is set."""

from __future__ import annotations

import os
from typing import Any

from .. import capture, log
from ..errors import BootError, ExitCode, describe


def ensure_superuser() -> None:
    """Call the project's `ensure_superuser`, or else Django's own means. Raises BootError (SUPERUSER)."""
    from django.core.management import call_command, get_commands
    from django.db import IntegrityError, connections

    lines = capture.Lines()
    try:
        if "ensure_superuser" in get_commands():
            try:
                call_command("ensure_superuser", stdout=lines, stderr=lines, no_color=True)
            except IntegrityError:
                # Another replica was quicker; now the command finds what it made.
                call_command("ensure_superuser", stdout=lines, stderr=lines, no_color=True)
        else:
            _create(lines)
    except BootError:
        raise
    except (Exception, SystemExit) as error:
        raise BootError(
            ExitCode.SUPERUSER, f"The superuser cannot be created: {describe(error)}.", cause=error
        ) from error
    finally:
        lines.finish()
        connections.close_all()


def _create(lines: capture.Lines) -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.core.management.base import CommandError
    from django.db import IntegrityError

    model = get_user_model()
    field = model.USERNAME_FIELD
    # Where people log in by e-mail address, that is the name.
    name = os.environ.get(f"DJANGO_SUPERUSER_{field.upper()}") or os.environ["DJANGO_SUPERUSER_USERNAME"]

    def exists() -> bool:
        return bool(model._default_manager.filter(**{field: name}).exists())

    if exists():
        log.info(f"The superuser {name} exists.")
        return
    options: dict[str, Any] = {field: name}
    given: dict[str, Any] = {field: name}
    for required in map(model._meta.get_field, model.REQUIRED_FIELDS):
        if value := os.environ.get(f"DJANGO_SUPERUSER_{required.name.upper()}"):
            given |= {} if required.is_relation else {required.name: value}
        elif required.blank:
            options[required.name] = ""
    _refuse_weak(model(**given), name)
    try:
        call_command(
            "createsuperuser", interactive=False, stdout=lines, stderr=lines, no_color=True, **options
        )
    except (CommandError, IntegrityError):
        if not exists():  # else another replica was quicker
            raise


def _refuse_weak(user: Any, name: str) -> None:
    """Have the project's AUTH_PASSWORD_VALIDATORS judge the password: createsuperuser without questions does not."""
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    try:
        validate_password(os.environ["DJANGO_SUPERUSER_PASSWORD"], user)
    except ValidationError as error:
        raise BootError(
            ExitCode.SUPERUSER,
            f"The superuser {name} cannot be created: the project's AUTH_PASSWORD_VALIDATORS refuse"
            f" DJANGO_SUPERUSER_PASSWORD. {' '.join(error.messages)}",
        ) from error
