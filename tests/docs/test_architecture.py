"""The picture of the architecture is drawn from its text, and shows what is there."""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree
from itertools import combinations
from pathlib import Path

import pytest

import architecture
import entrypoint.stages

ROOT = Path(__file__).parents[2]
SVG = {"svg": "http://www.w3.org/2000/svg"}
PICTURE = tomllib.loads(architecture.SOURCE.read_text())
BOXES = {box["name"]: box for box in PICTURE["box"]}


def test_picture_is_what_its_text_says():
    """Draw it again: `python docs/architecture.py`."""
    assert architecture.PICTURE.read_text() == architecture.draw(PICTURE)


def test_every_box_is_in_it():
    picture = xml.etree.ElementTree.parse(architecture.PICTURE)
    titles = [element.text for element in picture.iterfind(".//svg:text[@class='title']", SVG)]
    assert titles == [box["title"] for box in PICTURE["box"]]


def test_its_stages_are_the_boots():
    drawn = sorted((box["at"][0], name) for name, box in BOXES.items() if box["kind"] == "stage")
    page = (ROOT / "docs/boot.md").read_text()
    assert [name for _, name in drawn] == re.findall(r"^### \d\. (\w+)$", page, re.MULTILINE)
    (folder,) = entrypoint.stages.__path__
    assert {name for _, name in drawn} == {path.stem for path in (ROOT / folder).glob("[a-z]*.py")}


def test_boxes_do_not_overlap():
    for one, other in combinations(PICTURE["box"], 2):
        (left, top, width, height), (x, y, wide, high) = one["at"], other["at"]
        beside = left + width <= x or x + wide <= left
        above = top + height <= y or y + high <= top
        assert beside or above, (one["name"], other["name"])


@pytest.mark.parametrize("box", PICTURE["box"], ids=lambda box: box["name"])
def test_words_fit_into_their_box(box):
    """By the widths of a wide font: 10 pixels a letter of a title, 7 of a note."""
    width = box["at"][2] * architecture.UNIT
    assert 10 * len(box["title"]) <= width
    assert 7 * len(box.get("note", "")) <= width
    assert all(7 * len(layer) <= width - architecture.UNIT for layer in box.get("layers", []))


def test_an_arrow_to_nowhere_is_refused():
    with pytest.raises(KeyError, match="nowhere"):
        architecture.draw(PICTURE | {"arrows": {"project": ["nowhere"]}})
