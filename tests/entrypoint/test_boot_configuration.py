"""Wrong configurations: every problem at once, one sentence each, exit code 10, before anything waits."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoint import configuration, log, redaction, secretfiles, variables
from tests.entrypoint.booting import PASSWORD, SECRET_KEY


@pytest.fixture
def database() -> str:
    """No test here reaches a database."""
    return "none"


CLOSED = {"POSTGRES_PORT": "1"}  # were it to wait for the database, it would not end with 10

BAD = {
    "RUN_MIGRATIONS": "maybe",
    "MIGRATIONS_STRICT": "2",
    "RUN_COLLECTSTATIC": " ",
    "DJANGO_COLLECTSTATIC": "ja",
    "DATABASE_WAIT_TIMEOUT": "60s",
    "MIGRATION_LOCK_TIMEOUT": "-1",
    "WEB_CONCURRENCY": "0",
    "GUNICORN_TIMEOUT": "1e3",
    "GUNICORN_GRACEFUL_TIMEOUT": "08",
    "GUNICORN_BIND": "0.0.0.0",
    "GUNICORN_LOG_TO_FILES": "yes please",
    "LOG_FORMAT": "xml",
    "HEALTHCHECK_PATH": "health",
    "DJANGO_SETTINGS_MODULE": "config/settings.py",
    "WSGI_APPLICATION": "config.wsgi.py:",
}


def test_every_bad_variable_is_reported_in_one_message(boot):
    running = boot(**BAD, **CLOSED)
    assert running.exit_code() == 10
    assert running.error.startswith(f"The configuration has {len(BAD)} problems:\n")
    lines = running.error.splitlines()[1:]
    for name, value in BAD.items():
        assert any(line.startswith(f"- {name} is {value!r}: use ") for line in lines), name
    assert len(lines) == len(BAD)


def test_empty_values_count_as_not_set(boot):
    empty = dict.fromkeys(BAD, "")
    running = boot(**{**empty, "WEB_CONCURRENCY": "1", "GUNICORN_BIND": None, "POSTGRES_PORT": "x"})
    assert running.exit_code() == 10
    assert running.error == (
        "The configuration is wrong: The database's port is 'x':"
        " use a number from 1 to 65535 (POSTGRES_PORT)."
    )


@pytest.mark.proves("`RUN_COLLECTSTATIC=0` and `DJANGO_COLLECTSTATIC=0` skip it with a log message only")
def test_contradicting_names_of_one_flag(boot):
    running = boot(RUN_COLLECTSTATIC="0", DJANGO_COLLECTSTATIC="yes", **CLOSED)
    assert running.exit_code() == 10
    assert "RUN_COLLECTSTATIC and DJANGO_COLLECTSTATIC contradict each other" in running.error


@pytest.mark.proves("Required variables that are missing or empty stop the start; all problems at once")
def test_problems_of_the_settings_join_those_of_the_entrypoint(boot, project):
    project.add_setting(
        "from django.core.exceptions import ImproperlyConfigured\n"
        "raise ImproperlyConfigured('ALLOWED_HOSTS is empty: list them.\\nWEB_CONCURRENCY is odd: too.')"
    )
    running = boot(RUN_MIGRATIONS="x", WEB_CONCURRENCY="x", **CLOSED)
    assert running.exit_code() == 10
    assert [line.split(" is ")[0] for line in running.error.splitlines()[1:]] == [
        "- RUN_MIGRATIONS",
        "- WEB_CONCURRENCY",  # once
        "- ALLOWED_HOSTS",
    ]


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("config.settings.prodction", "no such module in {}: did you mean config.settings.production?"),
        ("nowhere.settings", "no such module in {}: name the project's settings module."),
        ("settings", "no such module in {}: name the project's settings module."),
    ],
)
def test_a_settings_module_that_does_not_exist(boot, project, module, sentence):
    running = boot(DJANGO_SETTINGS_MODULE=module, **CLOSED)
    assert running.exit_code() == 10
    assert f"DJANGO_SETTINGS_MODULE is {module}" in running.error
    assert sentence.format(project.directory) in running.error


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("x = = 1", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('set X')", "SystemExit: set X"),
        ("int(os.environ['POSTGRES_PASSWORD'])", "ValueError: invalid literal for int() with base 10: '***'"),
        ("INSTALLED_APPS.append('nowhere')", "ModuleNotFoundError: No module named 'nowhere'"),
        ("SECRET_KEY = ''", "The SECRET_KEY setting must not be empty."),
        (
            "LOGGING = {'version': 1, 'handlers': {'f': {'class': 'no.such'}}}",
            "Unable to configure handler 'f'",
        ),
        ("DATABASES['default']['ENGINE'] = 'no.such.engine'", "'no.such.engine' isn't an available database"),
        ("DATABASES['default']['NAME'] = ''", "Please supply the NAME"),
        ("STATIC_ROOT = None", "STATIC_ROOT is not set"),
        # The tests' Django has English only, as the image's.
        (
            "LANGUAGE_CODE = 'de'",
            "LANGUAGE_CODE is 'de', and Django's translations into that language are not",
        ),
    ],
)
def test_settings_that_cannot_be_used(boot, project, code, sentence):
    project.add_setting(code)
    running = boot(**CLOSED)
    assert running.exit_code() == 10
    assert sentence in running.error
    assert PASSWORD not in running.output
    assert SECRET_KEY not in running.output


def test_an_error_in_the_settings_names_file_and_line(boot, project):
    project.add_setting("1 / 0")
    number = len((project.directory / "config/settings/production.py").read_text().splitlines())
    running = boot(**CLOSED)
    assert running.exit_code() == 10
    assert f"(config/settings/production.py:{number})" in running.error


def test_a_directory_that_is_no_project(boot, project):
    (project.directory / "manage.py").unlink()
    running = boot(**CLOSED)
    assert running.exit_code() == 10
    assert f"{project.directory} has no manage.py" in running.error


def test_log_directory_that_cannot_be_written(boot, project):
    (project.directory / "logs").write_text("a file is in the way")
    running = boot(GUNICORN_LOG_TO_FILES="1", **CLOSED)
    assert running.exit_code() == 10
    assert "GUNICORN_LOG_TO_FILES is on" in running.error


def test_misspelt_variables_are_pointed_out(boot):
    running = boot(MIGRATION_STRICT="0", run_migrations="0", RUN_COLLECTSTATIC="?", **CLOSED)
    assert running.exit_code() == 10
    warnings = running.messages(level="WARNING")
    assert any("MIGRATION_STRICT is set" in each and "mean MIGRATIONS_STRICT?" in each for each in warnings)
    assert any("run_migrations is set" in each and "mean RUN_MIGRATIONS?" in each for each in warnings)
    assert len(warnings) == 2


def test_ordinary_environments_raise_no_false_alarm():
    ordinary = """
        PATH HOME HOSTNAME LANG LC_ALL TZ PWD OLDPWD SHLVL USER LOGNAME TERM SHELL MAIL EDITOR PAGER
        PYTHONPATH PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PIP_NO_CACHE_DIR GPG_KEY DEBUG
        ALLOWED_HOSTS
        POSTGRES_HOST POSTGRES_PORT POSTGRES_USER POSTGRES_DB POSTGRESQL_PASSWORD POSTGRES_PASSWORD SECRET_KEY
        SECRET_KEY_FILE POSTGRES_PASSWORD_FILE DATABASE_URL DATABASE_HOST REDIS_URL LOG_LEVEL LOG_FILE
        HTTPS_ONLY
        CSRF_TRUSTED_ORIGINS CORS_ALLOWED_ORIGINS DJANGO_LOG_TO_FILES DJANGO_SECRET_KEY DJANGO_SUPERUSER_NAME
        GUNICORN_CMD_ARGS GUNICORN_WORKERS WEB_PORT KUBERNETES_PORT KUBERNETES_SERVICE_HOST GUNICORN_PORT
        SSL_CERT_FILE EMAIL_HOST_PASSWORD SENTRY_DSN"""
    assert configuration.misspelt(dict.fromkeys(ordinary.split(), "x")) == []


@pytest.mark.proves("Secrets may come from files")
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory."),
        (b"", "which is empty"),
        (b"\n", "which is empty"),
        (b"a\0b", "which holds a NUL byte"),
        (b"\xff\xfe", "which is not UTF-8 text"),
        (b"x" * 70000, "which is larger than 65536 bytes"),
        ("directory", "which is not a regular file"),
        ("fifo", "which is not a regular file"),
    ],
)
def test_secret_files_that_cannot_be_used(tmp_path, content, sentence):
    path = tmp_path / "secret"
    if content == "directory":
        path.mkdir()
    elif content == "fifo":
        os.mkfifo(path)
    elif content is not None:
        path.write_bytes(content)
    problems: dict[str, str] = {}
    assert secretfiles.resolve({"SECRET_KEY_FILE": str(path)}, problems) == frozenset()
    assert sentence in problems["SECRET_KEY"]


def test_secret_problems_are_reported_once_and_without_the_secret(boot, tmp_path):
    (tmp_path / "secret").write_text("another-value-entirely")
    running = boot(
        SECRET_KEY_FILE=str(tmp_path / "secret"),
        POSTGRES_PASSWORD=None,
        POSTGRES_PASSWORD_FILE=str(tmp_path),
        **CLOSED,
    )
    assert running.exit_code() == 10
    assert "SECRET_KEY and SECRET_KEY_FILE are both set" in running.error
    assert running.error.count("POSTGRES_PASSWORD_FILE") == 1
    assert SECRET_KEY not in running.output
    assert "another-value" not in running.output


@pytest.mark.proves("Secrets may come from files")
@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"x y\n", "x y"), (b"x\r\n", "x"), (b"x\n\n", "x\n"), (b" x ", " x "), (b"x\r", "x\r")],
)
def test_one_trailing_newline_is_not_part_of_a_secret(tmp_path, content, secret):
    (tmp_path / "secret").write_bytes(content)
    environ = {"SECRET_KEY_FILE": str(tmp_path / "secret")}
    assert secretfiles.resolve(environ, {}) == frozenset({"SECRET_KEY"})
    assert environ == {"SECRET_KEY": secret}


# Environment values are bytes but NUL; Python shows those that are not UTF-8 as lone surrogates.
values = st.one_of(
    st.sampled_from(["", "0", "1", "true", "FALSE", " yes ", "on", "off", "60", "[::]:80", "json", "a.b:c"]),
    st.text(st.characters(exclude_characters="\0"), max_size=30),
    st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
)
names = [each.name for each in variables.VARIABLES]
environments = st.builds(
    lambda environ, password: environ | password,
    st.dictionaries(st.sampled_from(names), values),
    st.fixed_dictionaries(
        {}, optional={"DJANGO_SUPERUSER_PASSWORD": values.map(lambda text: f"SeCrEt{text}")}
    ),
)


@pytest.mark.proves("No environment breaks the parser, or is misread")
@settings(max_examples=2000, deadline=None)
@given(environments)
def test_no_environment_breaks_the_parser_or_is_misread(environ):
    problems: dict[str, str] = {}
    parsed = configuration.read(environ, problems)
    for sentence in problems.values():
        assert "\n" not in sentence
        sentence.encode()  # can be logged
    unread = {"PORT"} if environ.get("GUNICORN_BIND") else set()
    for variable in variables.VARIABLES:
        value = environ.get(variable.name, "") if variable.name not in unread else ""
        if variable.kind is variables.Kind.FLAG and value:
            known = value.strip().lower() in {"0", "1", "true", "false", "yes", "no", "on", "off"}
            assert known == (variable.name not in problems) or "contradict" in problems[variable.name]
        if variable.kind is variables.Kind.INTEGER and value and variable.name not in problems:
            assert variable.low <= int(value.strip()) <= variable.high
            assert str(int(value.strip())) == value.strip()
    if not problems:
        flags = [environ[name] for name in ("RUN_COLLECTSTATIC", "DJANGO_COLLECTSTATIC") if environ.get(name)]
        assert parsed.run_collectstatic == all(
            each.strip().lower() in {"1", "true", "yes", "on"} for each in flags
        )
    if "GUNICORN_BIND" not in problems and "PORT" not in problems:
        assert 1 <= parsed.port <= 65535
        port = environ.get("PORT", "").strip() or "8000"
        assert parsed.bind == (environ.get("GUNICORN_BIND") or f"0.0.0.0:{port}")
    password = environ.get("DJANGO_SUPERUSER_PASSWORD", "")
    assert parsed.superuser == bool(environ.get("DJANGO_SUPERUSER_USERNAME") and password)
    assert not any("SeCrEt" in sentence for sentence in problems.values())


@settings(max_examples=500, deadline=None)
@given(content=st.binary(max_size=60), also_set=st.booleans())
def test_no_secret_file_breaks_the_parser_or_is_echoed(tmp_path_factory, content, also_set):
    path = tmp_path_factory.getbasetemp() / "any-secret"
    path.write_bytes(content)
    environ = {"SECRET_KEY_FILE": str(path)} | ({"SECRET_KEY": "already"} if also_set else {})
    problems: dict[str, str] = {}
    from_files = secretfiles.resolve(environ, problems)
    redaction._hidden.clear()
    assert "SECRET_KEY_FILE" not in environ
    if from_files:
        assert environ["SECRET_KEY"].encode() in (content, content[:-1], content[:-2])
        assert not problems
        assert not also_set
    else:
        (sentence,) = problems.values()
        assert sentence.startswith("SECRET_KEY")
        text = content.decode("utf-8", "replace").strip()
        assert len(text) < 6 or text not in sentence.replace(str(path), "")


@pytest.mark.proves("Configuration values are logged, secrets are not")
@settings(max_examples=1000, deadline=None)
@given(
    message=st.text(max_size=40),
    secret=st.text(st.characters(exclude_characters="*"), min_size=redaction.SHORTEST_SECRET, max_size=20),
)
def test_a_known_secret_never_appears_in_a_record(message, secret):
    # Short ones are told from ordinary words by what stands around them.
    around = "'" if len(secret) < redaction.WORD_BELOW else ""
    redaction.add_secrets(secret)
    try:
        line = log.render(
            "INFO",
            f"{message}{around}{secret}{around}{message}",
            value=[secret, {"deep": f"x{around}{secret}{around}"}],
        )
    finally:
        redaction._hidden.clear()
    assert "\n" not in line
    record = json.loads(line.encode("utf-8", "backslashreplace"))
    assert secret not in record["message"]
    assert secret not in record["value"][0]
    assert secret not in record["value"][1]["deep"]
