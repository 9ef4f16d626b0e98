"""Parts that a whole boot cannot reach."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from entrypoint import capture, log, memory, redaction
from entrypoint.cores import usable_cores
from entrypoint.errors import describe

AFFINITY = len(os.sched_getaffinity(0))


@pytest.mark.proves("Workers are cores * 2 + 1, the request timeout is 140 s")
@pytest.mark.parametrize(
    ("files", "own", "quota"),
    [
        ({}, "", None),
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"cpu.max": "50000 100000"}, "0::/", 1),
        ({"cpu.max": "150000 100000"}, "0::/", 2),
        ({"cpu.max": "garbage"}, "0::/", None),
        ({"cpu.max": ""}, "0::/", None),
        ({"a/cpu.max": "max 100000", "a/b/cpu.max": "100000 100000"}, "0::/a/b", 1),
        ({"a/cpu.max": "100000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b", 1),
        ({"cpu.max": "100000 100000"}, "0::/docker/not/mounted/here", 1),
        ({"cpu.max": "100000 100000"}, "0::/../../other", 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/x\n", 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/x\n", None),
        ({"cpu.max": "100000 0"}, "0::/", None),
    ],
)
def test_usable_cores(tmp_path: Path, files: dict[str, str], own: str, quota: int | None):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(own)
    expected = AFFINITY if quota is None else min(quota, AFFINITY)
    assert usable_cores(tmp_path, tmp_path / "own") == expected


def test_usable_cores_of_this_machine():
    assert 1 <= usable_cores() <= AFFINITY


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({}, "", None),
        ({"memory.max": "max"}, "0::/", None),
        ({"memory.max": "garbage"}, "0::/", None),
        ({"memory.max": "67108864"}, "0::/", 67108864),
        ({"a/memory.max": "67108864", "a/b/memory.max": "max"}, "0::/a/b", 67108864),
        ({"memory/memory.limit_in_bytes": "50331648"}, "9:memory:/x\n", 50331648),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, "9:memory:/x\n", None),
    ],
)
def test_memory_limit(tmp_path: Path, files: dict[str, str], own: str, expected: int | None):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(own)
    assert memory.limit(tmp_path, tmp_path / "own") == expected


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_record_can_hold_anything():
    values = {"nan": float("nan"), "set": {1}, "bytes": b"\xff", "path": Path("/x"), "worse": Unprintable()}
    record = json.loads(
        log.render("INFO", "lone \udcff surrogate", **values).encode("utf-8", "backslashreplace")
    )
    assert record["nan"] == "nan"
    assert record["set"] == [1]
    assert record["path"] == "/x"
    assert record["worse"] == "<Unprintable>"


@pytest.fixture
def secrets() -> Iterator[None]:
    """What a test adds to the known secrets is forgotten after it."""
    yield
    redaction._hidden.clear()


@pytest.mark.proves("Configuration values are logged, secrets are not")
@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", "wJalrXUtnFEMI"),
        ("JWT_SIGNING_KEY", "signed-with-this", "signed-with-this"),
        ("SECRET_KEY_FALLBACK", "the-one-before", "the-one-before"),
        ("SMTP_PASS", "said-to-the-post", "said-to-the-post"),
        ("DJANGO_DB_PASSWORD_REPLICA", "said-to-the-copy", "said-to-the-copy"),
        ("CREDENTIALS_JSON", '{"key": "abcdefgh"}', '{"key": "abcdefgh"}'),
        ("API_TOKENS", "one-token,two-tokens", "one-token,two-tokens"),
        ("SENTRY_DSN", "https://01234567@errors.example.org/1", "https://01234567@errors.example.org/1"),
        ("REPLICA_DSN", "postgres://app:said-to-it@db/app", "said-to-it"),
        ("REPLICA", "host=db password=said-to-the-copy user=app", "said-to-the-copy"),
        ("REDIS_URL", "redis://:by-the-cache@cache:6379/0", "by-the-cache"),
        ("DATABASE_URL", "postgres://app:p%40ssw0rd%21@db/app", "p@ssw0rd!"),
        ("BROKER", "amqp://a:first-one@h1,amqp://b:second@two@h2", "second@two"),
        ("SEARCH", "https://search.example.org/?user=x&password=searching", "searching"),
    ],
)
@pytest.mark.usefixtures("secrets")
def test_secrets_are_known_by_their_variables_name_or_url(name, value, secret):
    redaction.add_variables({name: value})
    record = json.loads(log.render("ERROR", f"it was '{secret}' that failed", settings={"VALUE": value}))
    assert record["message"] == "it was '***' that failed"
    assert secret not in record["settings"]["VALUE"]
    assert secret not in json.dumps(record)


@pytest.mark.proves("Configuration values are logged, secrets are not")
@pytest.mark.parametrize(
    ("setting", "secrets_in_it"),
    [
        ({"EMAIL_HOST_PASSWORD": "posted"}, ["posted"]),
        ({"CACHES": {"default": {"LOCATION": "redis://:by-the-cache@cache:6379/0"}}}, ["by-the-cache"]),
        (
            {"CACHES": {"default": {"LOCATION": ["redis://a:p%40ss-1@a:1", "redis://b:p2-ss@b:1"]}}},
            ["p@ss-1", "p2-ss"],
        ),
        ({"CACHES": {"default": {"OPTIONS": {"PASSWORD": "an-option"}}}}, ["an-option"]),
        (
            {"DATABASES": {"replica": {"PASSWORD": "copy", "OPTIONS": {"password": "in-options"}}}},
            ["copy", "in-options"],
        ),
        (
            {"SECRET_KEY": "key-of-now", "SECRET_KEY_FALLBACKS": ["key-of-before"]},
            ["key-of-now", "key-of-before"],
        ),
        ({"SOCIALACCOUNT_PROVIDERS": {"x": {"APPS": [{"secret": "shared-with-x"}]}}}, ["shared-with-x"]),
        ({"STORAGES": {"default": {"OPTIONS": {"secret_key": "of-the-bucket"}}}}, ["of-the-bucket"]),
    ],
)
@pytest.mark.usefixtures("secrets")
def test_secrets_are_known_wherever_they_lie_in_the_settings(setting, secrets_in_it):
    redaction.add_settings(made(**setting))
    for secret in secrets_in_it:
        assert redaction.hide(f"it was '{secret}' that failed") == "it was '***' that failed"
    assert not [secret for secret in secrets_in_it if secret in redaction.hide(str(setting))]


@pytest.mark.proves("Configuration values are logged, secrets are not")
@pytest.mark.usefixtures("secrets")
def test_settings_that_hold_no_secret_stay():
    values = {
        "AUTH_PASSWORD_VALIDATORS": [{"NAME": "shop.validators.Length"}],
        "PASSWORD_HASHERS": ["shop.hashers.Slow"],
        "SIMPLE_JWT": {"AUTH_TOKEN_CLASSES": ("shop.tokens.Access",), "TOKEN_USER_CLASS": "shop.tokens.User"},
        "CACHES": {"default": {"KEY_PREFIX": "shopping", "LOCATION": "redis://cache:6379/0"}},
        "CYCLE": (cycle := {"NAME": "around-it-goes"}),
    }
    cycle["AGAIN"] = cycle
    redaction.add_settings(made(**values))
    assert redaction.hide(str(values)) == str(values)


def made(**values: object) -> LazySettings:
    """Settings that a project has overridden."""
    settings = LazySettings()
    settings.configure(**{"SECRET_KEY": "one-of-a-test", **values})
    return settings


@pytest.mark.proves("Configuration values are logged, secrets are not")
@pytest.mark.usefixtures("secrets")
def test_what_is_no_secret_stays():
    values = {
        "REDIS_URL": "redis://:by-the-cache@cache:6379/0",
        "TLS_PASSWORD_FILE": "/run/secrets/tls",
        "OLDPWD": "/home/somebody",
        "KEYBOARD": "qwertyuiop",
        "USE_TOKEN": "true",
        "DOCS_URL": "https://docs.example.org:8080/a@b",
    }
    redaction.add_variables(values)
    assert redaction.hide(values["REDIS_URL"]) == "redis://:***@cache:6379/0"
    for name in sorted(values.keys() - {"REDIS_URL"}):
        assert redaction.hide(values[name]) == values[name]


@pytest.mark.proves("Configuration values are logged, secrets are not")
@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("config", "No module named 'config.settings'", None),
        ("config", "configuration of /app/config/urls.py, my-config", None),
        ("config", "password 'config' of config.", "password '***' of ***."),
        (
            "config",
            "postgres://app:config@db?password=config&x=%20config",
            "postgres://app:***@db?password=***&x=%20***",
        ),
        ("config", r"first line\nconfig\nthird", r"first line\n***\nthird"),
        ("postgres", "django.db.backends.postgresql", None),
        ("p!ss", "xp!ssx", "x***x"),
        ("correct-horse", "xcorrect-horsex", "x***x"),
    ],
)
@pytest.mark.usefixtures("secrets")
def test_a_short_password_is_redacted_as_a_word(secret, text, expected):
    redaction.add_secrets(secret)
    assert redaction.hide(text) == (text if expected is None else expected)


def test_a_record_for_people_is_told_from_what_stands_below_it(monkeypatch):
    monkeypatch.setattr(log, "_format", "console")
    own = log.render("ERROR", "two problems:\n- one\n- two\x9b", created=0)
    assert own == "00:00:00.000 ERROR   entrypoint: two problems:\n    - one\n    - two\\x9b"
    other = log.render(
        "INFO", "a\nb", logger="shop", created=0, traceback="Traceback:\n  x\nError: \x1b[2J\r\n"
    )
    assert other == "00:00:00.000 INFO    shop: a\\nb\n    Traceback:\n      x\n    Error: \\x1b[2J"


def test_a_record_with_wrong_arguments_is_kept():
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d apples", ("no",), None)
    assert "%d apples" in json.loads(capture.Formatter().format(record))["message"]


def test_records_are_written_in_spite_of_a_closed_pipe(tmp_path):
    code = "from entrypoint import log\nfor _ in range(9): log.info('x' * 9999)\nopen('end', 'w').close()"
    root = str(Path(log.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path, env={"PYTHONPATH": root}
    )
    process.stdout.close()
    assert process.wait() == 0
    assert (tmp_path / "end").exists()


def test_an_exception_in_one_line():
    try:
        try:
            raise OSError(28, "No space left on device", "/x")
        except OSError as cause:
            raise ValueError("Unable to\nconfigure") from cause
    except ValueError as error:
        line = describe(error)
    assert line.startswith(
        "ValueError: Unable to configure (OSError: [Errno 28] No space left on device: '/x') ("
    )
    assert describe(KeyError("x" * 9999))[-3:] == "..."
    assert describe(UnprintableError()) == "UnprintableError"
