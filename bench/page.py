"""The page of the documentation that has what was measured, between two marks."""

from __future__ import annotations

from pathlib import Path

from bench.lab import BenchError

MEASURED = "measured"  # what has an option of its own has marks of its own


def read(page: Path, mark: str = MEASURED) -> str:
    """What is between the marks. Raises BenchError if the page does not have them."""
    return _parts(page, mark)[1].strip("\n")


def write(page: Path, text: str, mark: str = MEASURED) -> None:
    """Put the text between the marks. Raises BenchError if the page does not have them."""
    before, _, after = _parts(page, mark)
    page.write_text(f"{before}<!-- {mark} -->\n{text}\n<!-- /{mark} -->{after}")


def rows(text: str) -> list[list[str]]:
    """The cells of the table in it, its head and the line below that among them."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def _parts(page: Path, mark: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    try:
        before, _, rest = page.read_text().partition(begin)
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{page} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    text, found, after = rest.partition(end)
    if not found:
        raise BenchError(f"{page} has no place for what is measured: a line {begin}, and below it {end}")
    return before, text, after
