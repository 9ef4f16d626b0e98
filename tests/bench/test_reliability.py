"""The table of docs/reliability.md: one event that is measured again leaves the other rows as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import page, reliability
from bench.lab import BenchError
from bench.reliability import EVENTS

FIRST, SECOND, LAST = EVENTS[0].name, EVENTS[1].name, EVENTS[-1].name


def row(event: str, what: str) -> list[str]:
    return [event, *[what] * 3, "1 November 2026, load 0.1"]


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# Page\n\n<!-- measured -->\nold\n<!-- /measured -->\n\nThe rest.\n")
    page.write(
        file, reliability.table([row(FIRST, "one"), row(LAST, "last"), row("an event no more", "gone")])
    )
    return file


def test_one_event_replaces_its_row_alone(file):
    before = file.read_text()
    page.write(file, reliability.table([row(LAST, "better")], page.read(file)))
    assert file.read_text() == before.replace("last", "better")


def test_a_new_event_has_the_place_that_it_has_among_all(file):
    page.write(file, reliability.table([row(SECOND, "two")], page.read(file)))
    table = page.rows(file.read_text())
    assert [line[1] for line in table[2:]] == ["one", "two", "last"]
    assert file.read_text().startswith("# Page\n\n<!-- measured -->\n")
    assert file.read_text().endswith("\n<!-- /measured -->\n\nThe rest.\n")


def test_all_events_replace_the_table(file):
    page.write(file, reliability.table([row(SECOND, "two")]))
    assert [line[1] for line in page.rows(file.read_text())[2:]] == ["two"]


def test_rows_of_another_machine_are_not_compared(file):
    page.write(file, page.read(file).replace(" cores of ", " cores of an older "))
    with pytest.raises(BenchError, match="of another machine"):
        reliability.table([], page.read(file))


def test_an_event_that_there_is_not():
    with pytest.raises(BenchError, match="no event's name contains 'earthquake'"):
        reliability.chosen("earthquake")
    assert [event.name for event in reliability.chosen("446 MB")] == ["one POST of 446 MB to `/admin/login/`"]


def test_the_pages_rows_are_of_these_events():
    """In their order, in the form that this program gives them."""
    text = page.read(Path(__file__).parents[2] / "docs/reliability.md")
    head, _, *rows = page.rows(text)
    assert head == list(reliability.HEAD)
    assert {len(line) for line in rows} == {len(head)}
    names = [line[0] for line in rows]
    assert names == [event.name for event in EVENTS if event.name in names]


@pytest.mark.parametrize("text", [None, "", "<!-- measured -->\nold\n\nThe rest.\n", "<!-- /measured -->\n"])
def test_a_page_without_the_place_stays_as_it_is(tmp_path, text):
    file = tmp_path / "page.md"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BenchError, match=r"page\.md (cannot be read: |has no place for what is measured: )"):
        page.write(file, "new")
    assert text is None or file.read_text() == text
