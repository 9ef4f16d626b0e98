"""config.settings.production: what it refuses, what it makes of the environment, and its invariants."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from cluster import Cluster
from tests import page
from tests.running import free_port

REQUIRED = page.required()


@pytest.fixture(scope="module")
def tcp_database() -> Iterator[dict[str, str]]:
    """The POSTGRES_ variables of a cluster on TCP: TLS is not for Unix sockets."""
    port = free_port()
    directory = Path(tempfile.mkdtemp(prefix="backend-"))
    directory.chmod(0o755)
    try:
        with Cluster(directory / "cluster", port, {"fsync": "off"}) as cluster:
            yield {
                "POSTGRES_HOST": "127.0.0.1",
                "POSTGRES_PORT": str(port),
                "POSTGRES_USER": "postgres",
                "POSTGRES_DB": "postgres",
                "POSTGRES_PASSWORD": cluster.password,
            }
    finally:
        shutil.rmtree(directory)


def refusal(load, variables) -> list[str]:
    with pytest.raises(ImproperlyConfigured) as refused:
        load(variables)
    return str(refused.value).split("\n")


@pytest.mark.proves("The database's address comes from `POSTGRES_*`, with these defaults")
def test_a_right_environment_loads_with_the_documented_defaults(load, production):
    loaded = load(production)
    database = loaded["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert [database[key] for key in ("HOST", "PORT", "USER", "NAME")] == ["db", 5432, "eatfit24", "eatfit24"]
    assert database["PASSWORD"] == production["POSTGRES_PASSWORD"]
    assert loaded["DEBUG"] is False
    assert loaded["ALLOWED_HOSTS"] == ["api.example.com"]
    assert loaded["CSRF_TRUSTED_ORIGINS"] == loaded["CORS_ALLOWED_ORIGINS"] == ["https://app.example.com"]


READING = """
import os
import config.database, config.log  # and the libraries that they use

read = set()
environ = type(os.environ)
original = environ.__getitem__
environ.__getitem__ = lambda self, name: read.add(name) or original(self, name)
import config.settings.production
print(*read)
"""


def test_what_is_read_is_documented(run, backend, production):
    read = set(run(backend, production, "-c", READING).stdout.split())
    documented = set(page.variables("Variables of the backend's settings"))
    files = {f"{name}_FILE" for name in page.variables("Secrets from files")}
    only_refused = {"DATABASE_URL", "DATABASE_ENGINE", "DB_ENGINE", "DJANGO_DB_ENGINE", "SQL_ENGINE"}
    assert read - files == documented | only_refused


@pytest.mark.proves("The database's address comes from `POSTGRES_*`, with these defaults")
def test_database_address_from_the_environment(load, production):
    address = {
        "POSTGRES_HOST": "/run/postgresql",
        "POSTGRES_PORT": "6432",
        "POSTGRES_USER": "u",
        "POSTGRES_DB": "d",
    }
    database = load({**production, **address})["DATABASES"]["default"]
    assert [database[key] for key in ("HOST", "PORT", "USER", "NAME")] == ["/run/postgresql", 6432, "u", "d"]


def test_tls_to_the_database(load, production, tmp_path):
    """Not set, it is left to libpq, which reads PGSSLMODE and its like."""
    assert not any(name.startswith("ssl") for name in load(production)["DATABASES"]["default"]["OPTIONS"])
    required = load({**production, "POSTGRES_SSLMODE": "Require"})["DATABASES"]["default"]["OPTIONS"]
    assert required["sslmode"] == "require"
    certificate = tmp_path / "ca.pem"
    certificate.touch()
    verified = {"POSTGRES_SSLMODE": "verify-full", "POSTGRES_SSLROOTCERT": str(certificate)}
    options = load({**production, **verified})["DATABASES"]["default"]["OPTIONS"]
    assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", str(certificate))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"POSTGRES_SSLMODE": "on"}, "POSTGRES_SSLMODE is 'on': give it disable or "),
        ({"POSTGRES_SSLMODE": "verify-full"}, "POSTGRES_SSLROOTCERT is not set, but "),
        ({"POSTGRES_SSLMODE": "verify-ca"}, "POSTGRES_SSLROOTCERT is not set, but "),
        ({"POSTGRES_SSLROOTCERT": __file__}, "POSTGRES_SSLROOTCERT is set, but nothing "),
        (
            {"POSTGRES_SSLROOTCERT": __file__, "POSTGRES_SSLMODE": "prefer"},
            "POSTGRES_SSLROOTCERT is set, but ",
        ),
        (
            {"POSTGRES_SSLROOTCERT": "/nowhere/ca.pem", "POSTGRES_SSLMODE": "verify-ca"},
            "POSTGRES_SSLROOTCERT names '/nowhere/ca.pem', which cannot be read (No such file or directory): ",
        ),
        (
            {"POSTGRES_SSLROOTCERT": "/", "POSTGRES_SSLMODE": "verify-ca"},
            "POSTGRES_SSLROOTCERT names '/', which is not a regular file: ",
        ),
    ],
)
def test_tls_that_is_not_what_it_seems_is_refused(load, production, variables, sentence):
    (line,) = refusal(load, {**production, **variables})
    assert line.startswith(sentence)


@pytest.mark.proves("A database without TLS is refused when TLS is required")
def test_a_server_without_tls_is_refused_when_tls_is_required(run, backend, production, tcp_database):
    code = (
        "import django; django.setup(); from django.db import connection\n"
        "with connection.cursor() as cursor: cursor.execute('SELECT 1'); print(cursor.fetchone())"
    )
    plain = run(backend, {**production, **tcp_database}, "-c", code)
    assert plain.stdout == "(1,)\n", plain.stderr
    required = run(backend, {**production, **tcp_database, "POSTGRES_SSLMODE": "require"}, "-c", code)
    assert required.returncode != 0
    assert "server does not support SSL, but SSL was required" in required.stderr


@pytest.mark.proves("Required variables that are missing or empty stop the start; all problems at once")
@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_required_variable_missing_or_empty(load, production, name, value):
    variables = {**production, name: value} if value is not None else {**production}
    if value is None:
        del variables[name]
    (line,) = refusal(load, variables)
    assert line.startswith(f"{name} is {'not set' if value is None else 'empty'}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "https://api.example.com"),
        ("CSRF_TRUSTED_ORIGINS", "app.example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.com/"),
        ("POSTGRES_PORT", "postgres"),
        ("POSTGRES_PORT", "0"),
        ("POSTGRES_HOST", "postgres://db"),
        ("SECRET_KEY", "changeme"),
        ("DEBUG", "maybe"),
        ("HTTPS_ONLY", "sometimes"),
        ("LOG_FORMAT", "xml"),
        ("DJANGO_LOG_TO_FILES", "2"),
    ],
)
def test_malformed_variable(load, production, name, value):
    (line,) = refusal(load, {**production, name: value})
    assert line.startswith(f"{name} ")


@pytest.mark.proves("Required variables that are missing or empty stop the start; all problems at once")
def test_all_problems_are_told_at_once(load):
    lines = refusal(load, {"DEBUG": "1", "POSTGRES_PORT": "x", "HTTPS_ONLY": "x"})
    assert {line.split()[0] for line in lines} == {*REQUIRED, "DEBUG", "POSTGRES_PORT", "HTTPS_ONLY"}
    assert len(lines) == 8


@pytest.mark.proves("`DEBUG` is refused in production")
@pytest.mark.parametrize("value", ["1", "True", "yes", "on"])
def test_debug_is_refused(load, production, value):
    (line,) = refusal(load, {**production, "DEBUG": value})
    assert line.startswith("DEBUG is on: ")


@pytest.mark.parametrize("value", ["0", "False", "", "no"])
def test_debug_off_is_accepted(load, production, value):
    assert load({**production, "DEBUG": value})["DEBUG"] is False


@pytest.mark.proves("PostgreSQL only in production, SQLite elsewhere")
@pytest.mark.parametrize("name", ["DATABASE_URL", "DB_ENGINE", "DATABASE_ENGINE"])
def test_asking_for_sqlite_is_refused(load, production, name):
    (line,) = refusal(load, {**production, name: "sqlite:////data/db.sqlite3"})
    assert line.startswith(f"{name} asks for SQLite")


def test_a_postgresql_url_of_the_platform_does_no_harm(load, production):
    loaded = load({**production, "DATABASE_URL": "postgres://elsewhere/app"})
    assert loaded["DATABASES"]["default"]["HOST"] == "db"


@pytest.mark.proves("PostgreSQL only in production, SQLite elsewhere")
@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}", "PostgreSQL only"),
        ("DEBUG = True", "DEBUG is on"),
    ],
)
def test_settings_made_from_production_keep_its_invariants(run, project, production, override, problem):
    (project / "derived.py").write_text(f"from config.settings.production import *\n{override}\n")
    result = run(project, {**production, "DJANGO_SETTINGS_MODULE": "derived"}, "manage.py", "check")
    assert result.returncode == 10
    assert problem in result.stderr
    assert "Traceback" not in result.stderr


def test_secrets_from_files(load, production, tmp_path):
    variables = dict(production)
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        file = tmp_path / name
        file.write_text(variables.pop(name) + "\n")
        variables[f"{name}_FILE"] = str(file)
    loaded = load(variables)
    assert loaded["SECRET_KEY"] == production["SECRET_KEY"]
    assert loaded["DATABASES"]["default"]["PASSWORD"] == production["POSTGRES_PASSWORD"]


def test_connections_heal_and_suit_a_pooler(load, production):
    database = load(production)["DATABASES"]["default"]
    assert database["CONN_HEALTH_CHECKS"] is True
    assert database["CONN_MAX_AGE"] > 0
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert 0 < database["OPTIONS"]["connect_timeout"] <= 5


def test_https_only_is_the_default_and_can_be_turned_off(load, production):
    names = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS")
    on = load(production)
    assert all(on[name] for name in names)
    assert on["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    off = load({**production, "HTTPS_ONLY": "0"})
    assert not any(off[name] for name in names)
    assert "SECURE_PROXY_SSL_HEADER" not in off


@pytest.mark.proves("HSTS takes in other hosts only on request")
@pytest.mark.parametrize(
    ("variables", "subdomains", "preload"),
    [
        ({}, False, False),
        ({"HSTS_INCLUDE_SUBDOMAINS": "1"}, True, False),
        ({"HSTS_INCLUDE_SUBDOMAINS": "1", "HSTS_PRELOAD": "1"}, True, True),
    ],
)
def test_hsts_speaks_for_other_hosts_only_when_asked_to(load, production, variables, subdomains, preload):
    loaded = load({**production, **variables})
    assert loaded["SECURE_HSTS_SECONDS"] > 0
    assert loaded["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is subdomains
    assert loaded["SECURE_HSTS_PRELOAD"] is preload


def test_hsts_preload_without_subdomains_is_refused(load, production):
    (line,) = refusal(load, {**production, "HSTS_PRELOAD": "1"})
    assert line.startswith("HSTS_PRELOAD is on, ")


def test_check_deploy_is_clean_but_for_hsts_of_other_hosts(run, backend, production):
    check = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    result = run(backend, production, *check)
    assert set(re.findall(r"security\.W\d+", result.stderr)) == {"security.W005", "security.W021"}
    result = run(backend, {**production, "HSTS_INCLUDE_SUBDOMAINS": "1", "HSTS_PRELOAD": "1"}, *check)
    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout


def test_models_and_migrations_agree(run, backend):
    result = run(
        backend, {"DJANGO_SETTINGS_MODULE": "config.settings.test"}, "manage.py", "makemigrations", "--check"
    )
    assert result.returncode == 0, result.stdout


def test_directories(load, production, backend):
    loaded = load(production)
    assert loaded["STATIC_ROOT"] == backend / "staticfiles"
    assert loaded["MEDIA_ROOT"] == backend / "media"


@pytest.mark.proves("PostgreSQL only in production, SQLite elsewhere")
@pytest.mark.parametrize("name", ["local", "test"])
def test_sqlite_is_allowed_elsewhere_with_nothing_set(load, name):
    loaded = load({}, name)
    assert loaded["DATABASES"]["default"]["ENGINE"] == "django.db.backends.sqlite3"
    assert loaded["DEBUG"] is (name == "local")
