"""gunicorn_config.py: the documented values. Variables that change them are the boot sequence's."""

from __future__ import annotations

import os
import runpy
from unittest import mock

import pytest


@pytest.fixture
def configuration(backend):
    def configuration(**variables: str):
        with mock.patch.dict(os.environ, variables, clear=True):
            return runpy.run_path(str(backend / "gunicorn_config.py"))

    return configuration


@pytest.mark.proves("Workers are cores * 2 + 1, the request timeout is 140 s")
@pytest.mark.proves("It serves on 0.0.0.0:8000 by default")
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


@pytest.mark.parametrize(("value", "workers"), [("3", 3), ("", len(os.sched_getaffinity(0)) * 2 + 1)])
def test_the_number_of_workers(configuration, value, workers):
    assert configuration(WEB_CONCURRENCY=value)["workers"] == workers
