"""docs/boot.md and the code say the same, in both directions."""

from __future__ import annotations

import pkgutil
import re

import pytest

from entrypoint import __main__ as program
from entrypoint import configuration, healthcheck, redaction, stages, variables
from entrypoint.errors import ExitCode
from entrypoint.stages import wait
from entrypoint.variables import Kind
from tests import promises
from tests.entrypoint.booting import ROOT, STAGES
from tests.page import PAGE, table


def accepts(variable: variables.Variable) -> str:
    """How the page says what a variable accepts."""
    if variable.kind is Kind.INTEGER:
        return f"{variable.low} to {variable.high}"
    if variable.kind is Kind.CHOICE:
        return ", ".join(variable.choices)
    return str(variable.kind)


def test_every_variable_with_its_default_and_meaning():
    expected = [
        [f"`{each.name}`", f"`{each.default}`" if each.default else "-", accepts(each), each.purpose]
        for each in variables.VARIABLES
    ]
    documented = [[*row[:3], row[3].replace("`", "")] for row in table("Variables")]
    assert documented == [[*row[:3], row[3].replace("`", "")] for row in expected]


def test_every_secret():
    assert table("Secrets from files") == [[f"`{name}`", f"`{name}_FILE`"] for name in variables.SECRETS]


def test_every_exit_code():
    documented = {(int(code), name) for code, name, *_ in table("Exit codes")}
    assert documented == {(code.value, code.name) for code in ExitCode}


def test_every_exit_code_can_happen():
    """A code that nothing uses is not a promise that can be kept."""
    code = "".join(path.read_text() for path in (ROOT / "entrypoint").rglob("*.py") if path.stem != "errors")
    # Named by the signal that arrived: ExitCode[number.name].
    by_name = {"SIGINT", "SIGTERM"}
    assert {each.name for each in ExitCode} - by_name == set(re.findall(r"ExitCode\.([A-Z_]+)", code))


def test_every_stage_is_a_module():
    """That they run in this order is test_boot_sequence.py's to show."""
    documented = re.findall(r"^### \d\. (\w+)$", PAGE, re.MULTILINE)
    assert documented == [*STAGES[:-1], "superuser", STAGES[-1]]
    assert set(documented) == {module.name for module in pkgutil.iter_modules(stages.__path__)}


def test_every_command():
    documented = {re.match(r"`(\w+)", row[0])[1] for row in table("Commands")}
    assert documented == program.COMMANDS.keys() | program.WITH_ARGUMENTS
    assert all(f"\n  {command} " in program.USAGE for command in documented)


def test_no_variable_is_read_behind_the_tables_back():
    """Whatever the entrypoint reads by name is in the table, or is gunicorn's or OpenTelemetry's own."""
    code = "".join(path.read_text() for path in (ROOT / "entrypoint").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", code))
    of_gunicorn = {
        "LISTEN_FDS",
        "GUNICORN_FD",
        "REQUEST_METHOD",
        "PATH_INFO",
        "CONTENT_LENGTH",
        "REMOTE_ADDR",
        "HTTP_X_FORWARDED_FOR",
    }
    assert read - of_gunicorn - {"OTEL_SDK_DISABLED"} <= {each.name for each in variables.VARIABLES}


def test_numbers_in_the_text():
    text = " ".join(PAGE.split())
    assert f"Attempts are {wait.PAUSE:.0f} s apart" in text
    assert f"on `GUNICORN_BIND`, within {healthcheck.TIMEOUT:.0f} s" in text
    assert f"values of at least {redaction.SHORTEST_SECRET} characters" in text
    assert f"with fewer than {redaction.WORD_BELOW} letters and digits as whole words" in text


@pytest.mark.proves("It serves on 0.0.0.0:8000 by default")
def test_defaults_of_the_server():
    problems: dict[str, str] = {}
    parsed = configuration.read({}, problems)
    assert not problems
    assert parsed.bind == "0.0.0.0:8000"
    assert (parsed.timeout, parsed.graceful_timeout) == (140, 8)
    assert parsed.workers % 2 == 1


def test_forgiven_failures_are_those_of_the_page():
    forgiven = {code.name for code in program.FORGIVEN}
    assert forgiven == {"MIGRATIONS", "MIGRATION_LOCK", "COLLECTSTATIC", "SUPERUSER"}
    assert "although migrations, `collectstatic` or the superuser fail" in PAGE
    assert "It forgives waiting too long for another replica's migrations" in " ".join(PAGE.split())


def test_the_table_of_proofs_is_what_the_tests_say():
    _, written = promises.split(PAGE)
    order = [row[0] for row in table("What proves it")]
    assert written == promises.render(order), "write it by `python tests/promises.py`"
