""".env.example: complete, free of secrets, and right but for what must be filled in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests import page

FILE = Path(__file__).resolve().parents[2] / ".env.example"
DOCUMENTED = {
    *page.variables("Variables"),
    *page.variables("Variables of the backend's settings"),
    *(f"{name}_FILE" for name in page.variables("Secrets from files")),
}


def assignments(commented: bool) -> dict[str, str]:
    pattern = r"^# ?([A-Z][A-Z_]+)=(.*)$" if commented else r"^([A-Z][A-Z_]+)=(.*)$"
    return dict(re.findall(pattern, FILE.read_text(), re.MULTILINE))


def test_every_variable_is_there():
    read_by_others = {"COMPOSE_FILE", "FORWARDED_ALLOW_IPS"}  # Compose and gunicorn
    assert assignments(False).keys() | assignments(True).keys() == DOCUMENTED | read_by_others


def test_unchanged_it_is_refused_for_the_secrets_alone(load):
    with pytest.raises(ImproperlyConfigured) as refused:
        load(assignments(False))
    assert [line.split()[0] for line in str(refused.value).split("\n")] == ["SECRET_KEY", "POSTGRES_PASSWORD"]


def test_filled_in_it_serves_plain_http_on_localhost(load, production):
    secrets = {name: production[name] for name in ("SECRET_KEY", "POSTGRES_PASSWORD")}
    loaded = load({**assignments(False), **secrets})
    assert loaded["SECURE_SSL_REDIRECT"] is False
    assert "localhost" in loaded["ALLOWED_HOSTS"]
    assert loaded["CSRF_TRUSTED_ORIGINS"] == ["http://localhost:8000"]


def test_commented_defaults_are_the_defaults(load, production):
    """Uncommenting a line must not change anything, but for those that show a file or a name of one's own."""
    defaults = {name: value for name, value in assignments(True).items() if not name.endswith("_FILE")}
    settings = [name for name in load(production) if name.isupper() and name not in ("LOGGING", "HTTPS_ONLY")]
    assert settings
    plain, uncommented = load(production), load({**production, **defaults})
    assert {name: plain[name] for name in settings} == {name: uncommented[name] for name in settings}
