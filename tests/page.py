"""docs/boot.md, for tests that hold it and the code together."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[1] / "docs/boot.md").read_text()


def section(title: str) -> str:
    """The text below a heading, up to the next one of any level."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, title
    return match[1]


def table(title: str) -> list[list[str]]:
    """The cells of the section's table, without its head."""
    rows = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def variables(title: str) -> list[str]:
    """The variables in the table's first column."""
    return [row[0].strip("`") for row in table(title)]


def required() -> list[str]:
    """The variables that the backend's settings demand."""
    rows = table("Variables of the backend's settings")
    return [variable.strip("`") for variable, default, _ in rows if default == "required"]
