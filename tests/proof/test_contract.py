"""docs/verify.md and the programs have the same exit codes and options."""

from __future__ import annotations

import re
from pathlib import Path

import verify
from outcome import Outcome

DOCUMENT = Path(__file__).parents[2] / "docs/verify.md"


def section(title: str) -> str:
    (found,) = [part for part in DOCUMENT.read_text().split("\n## ") if part.startswith(f"{title}\n")]
    return found


def test_exit_codes():
    rows = re.findall(r"^\| (\d+) \| \S", section("Exit codes"), re.MULTILINE)
    assert [int(code) for code in rows] == [outcome.value for outcome in Outcome]


def test_help_tells_the_exit_codes():
    told = re.findall(r"\b(\d+) ", verify.__doc__.partition("Exit codes: ")[2])
    assert {int(code) for code in told} == {outcome.value for outcome in Outcome}


def test_options():
    documented = set(re.findall(r"^\| `(--[a-z-]+)", section("Options"), re.MULTILINE))
    assert set(re.findall(r"^  (--[a-z-]+)", verify.__doc__, re.MULTILINE)) == documented
    for option in documented:
        values = [] if option in ("--from-registry", "--no-referrers") else ["true"]
        verify.arguments(["docker://example.org/a:1", option, *values])
