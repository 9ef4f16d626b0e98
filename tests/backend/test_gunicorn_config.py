"""gunicorn_config.py: the documented values, and the variables that change them."""

from __future__ import annotations

import os
import runpy
from unittest import mock

import pytest
from gunicorn.config import KNOWN_SETTINGS


@pytest.fixture
def configuration(backend):
    def configuration(**variables: str):
        with mock.patch.dict(os.environ, variables, clear=True):
            return runpy.run_path(str(backend / "gunicorn_config.py"))

    return configuration


def test_documented_defaults(configuration):
    values = configuration()
    assert values["bind"] == "0.0.0.0:8000"
    assert values["workers"] == len(os.sched_getaffinity(0)) * 2 + 1
    assert values["timeout"] == 140
    assert (values["accesslog"], values["errorlog"]) == ("-", "-")
    assert values["preload_app"] is True
    assert values["worker_tmp_dir"] == "/dev/shm"
    assert values["graceful_timeout"] < 10  # Docker's patience
    assert values["control_socket_disable"] is True


def test_variables(configuration):
    values = configuration(
        GUNICORN_BIND="127.0.0.1:9000",
        WEB_CONCURRENCY="3",
        GUNICORN_TIMEOUT="30",
        GUNICORN_GRACEFUL_TIMEOUT="5",
    )
    names = ("bind", "workers", "timeout", "graceful_timeout")
    assert [values[name] for name in names] == ["127.0.0.1:9000", 3, 30, 5]


def test_an_empty_variable_counts_as_not_set(configuration):
    names = ("GUNICORN_BIND", "WEB_CONCURRENCY", "GUNICORN_TIMEOUT", "GUNICORN_LOG_TO_FILES")
    plain, empty = configuration(), configuration(**dict.fromkeys(names, ""))
    settings = {setting.name for setting in KNOWN_SETTINGS}
    assert {k: v for k, v in plain.items() if k in settings} == {
        k: v for k, v in empty.items() if k in settings
    }


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_log_to_files(configuration, value):
    values = configuration(GUNICORN_LOG_TO_FILES=value)
    assert values["accesslog"] == "logs/gunicorn_access.log"
    assert values["errorlog"] == "logs/gunicorn_error.log"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEB_CONCURRENCY", "four"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "-1"),
        ("GUNICORN_TIMEOUT", "1.5"),
        ("GUNICORN_LOG_TO_FILES", "2"),
    ],
)
def test_malformed_variable_is_refused(configuration, name, value):
    with pytest.raises(SystemExit, match=f"^{name} is '{value}': "):
        configuration(**{name: value})


def test_gunicorn_ends_with_that_sentence(run, backend):
    command = [
        "-m",
        "gunicorn",
        "--check-config",
        "--config",
        "gunicorn_config.py",
        "config.wsgi:application",
    ]
    result = run(backend, {"GUNICORN_TIMEOUT": "1.5"}, *command)
    assert result.returncode == 1
    assert result.stderr == "GUNICORN_TIMEOUT is '1.5': give it a whole number greater than 0.\n"
