"""The options of the soak, and its results at the end of pytest's output and, if asked for, on a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import page

RESULTS = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak-seconds", type=float, default=1200.0, help="how long it takes (1200)")
    parser.addoption("--soak-page", type=Path, help="put the results between the marks of this page")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    if text := config.stash.get(RESULTS, ""):
        terminalreporter.write_line(f"\n{text}\n")
        if target := config.getoption("--soak-page"):
            page.write(target, text, "soak")
