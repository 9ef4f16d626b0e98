"""What the product promises, and the tests that would fail if it were not so: docs/boot.md, "What proves it".

A test says so itself, by `@pytest.mark.proves("the promise")`; one test may prove several, and a promise may take several
tests. `python tests/promises.py` writes the table on the page; tests/entrypoint/test_contract.py compares it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/boot.md"
HEAD = "| promise | tests |\n|---|---|\n"


def main() -> None:
    before, table = split(PAGE.read_text())
    order = re.findall(r"^\| (.+?) \|", table.removeprefix(HEAD), re.MULTILINE)
    PAGE.write_text(before + render(order))


def split(page: str) -> tuple[str, str]:
    """The page up to the table, and the table, which is its end."""
    before, _, rows = page.partition(HEAD)
    return before, HEAD + rows


def render(order: list[str]) -> str:
    """The table: promises in this order, then those that are not in it."""
    found = proofs()
    names = [
        *(name for name in dict.fromkeys(order) if name in found),
        *(name for name in found if name not in order),
    ]
    return HEAD + "".join(
        f"| {name} | {', '.join(f'`{test}`' for test in found[name])} |\n" for name in names
    )


def proofs() -> dict[str, list[str]]:
    """The tests, as pytest names them, by what they prove."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for promise in promises(node):
                    found.setdefault(promise, []).append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def promises(test: ast.FunctionDef) -> list[str]:
    """What the test's marks say, in their order."""
    calls = [mark for mark in test.decorator_list if isinstance(mark, ast.Call)]
    return [
        str(ast.literal_eval(call.args[0]))
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.proves"
    ]


if __name__ == "__main__":
    main()
