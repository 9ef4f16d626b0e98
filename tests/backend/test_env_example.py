""".env.example: complete, free of secrets, and right but for what must be filled in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

FILE = Path(__file__).resolve().parents[2] / ".env.example"
DOCUMENTED = [
    "DJANGO_SETTINGS_MODULE",
    "WSGI_APPLICATION",
    "RUN_MIGRATIONS",
    "MIGRATE_DATABASES",
    "MIGRATIONS_STRICT",
    "SCHEMA_AHEAD",
    "READ_ONLY",
    "RUN_COLLECTSTATIC",
    "DJANGO_COLLECTSTATIC",
    "GUNICORN_LOG_TO_FILES",
    "DJANGO_LOG_TO_FILES",
    "LOG_FORMAT",
    "DATABASE_WAIT_TIMEOUT",
    "MIGRATION_LOCK_TIMEOUT",
    "MIGRATION_DDL_LOCK_TIMEOUT",
    "WEB_CONCURRENCY",
    "GUNICORN_TIMEOUT",
    "GUNICORN_GRACEFUL_TIMEOUT",
    "GUNICORN_BIND",
    "HEALTHCHECK_PATH",
    "POSTGRES_HOST",
    "POSTGRES_PORT",
    "POSTGRES_USER",
    "POSTGRES_DB",
    "POSTGRES_SSLMODE",
    "POSTGRES_SSLROOTCERT",
    "POSTGRES_PASSWORD",
    "POSTGRES_PASSWORD_FILE",
    "DEBUG",
    "SECRET_KEY",
    "SECRET_KEY_FILE",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "CORS_ALLOWED_ORIGINS",
    "HTTPS_ONLY",
    "HSTS_INCLUDE_SUBDOMAINS",
    "HSTS_PRELOAD",
    "DJANGO_SUPERUSER_USERNAME",
    "DJANGO_SUPERUSER_EMAIL",
    "DJANGO_SUPERUSER_PASSWORD",
    "DJANGO_SUPERUSER_PASSWORD_FILE",
]


def assignments(commented: bool) -> dict[str, str]:
    pattern = r"^# ?([A-Z][A-Z_]+)=(.*)$" if commented else r"^([A-Z][A-Z_]+)=(.*)$"
    return dict(re.findall(pattern, FILE.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_variable_is_there(name):
    assert name in assignments(False) | assignments(True)


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
