"""Draws architecture.svg from architecture.toml, beside this file. The picture depends on the text alone."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

UNIT = 20  # pixels
SOURCE = Path(__file__).with_suffix(".toml")
PICTURE = SOURCE.with_suffix(".svg")

# It brings its background along, so that it can be read on any page; the reader's system chooses between light and dark.
STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2328 }
.page { fill: #fff; stroke: #d1d9e0 }
.band { fill: #f6f8fa }
.heading { font-size: 13px; font-weight: 700; letter-spacing: 1.5px }
.title { font-size: 15px; font-weight: 600 }
.note, .layer { font-size: 12px }
.note { fill: #59636e }
.box rect { stroke-width: 1.5 }
.plain rect { fill: #fff; stroke: #818b98 }
.yours rect { fill: #ddf4ff; stroke: #0969da }
.ours rect, .stage rect { fill: #fbefff; stroke: #8250df }
.result rect { fill: #dafbe1; stroke: #1a7f37 }
.result .layer-box { fill: #fff; stroke-width: 1 }
.arrow { stroke: #59636e; stroke-width: 1.5; fill: none }
.head { fill: #59636e }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .page { fill: #0d1117; stroke: #3d444d }
  .band { fill: #151b23 }
  .note { fill: #b1bac4 }
  .plain rect { fill: #212830; stroke: #656c76 }
  .yours rect { fill: #0c2d6b; stroke: #4493f8 }
  .ours rect, .stage rect { fill: #3c1e70; stroke: #ab7df8 }
  .result rect { fill: #033a16; stroke: #3fb950 }
  .result .layer-box { fill: #0d1117 }
  .arrow { stroke: #9198a1 }
  .head { fill: #9198a1 }
}
"""


def main() -> None:
    PICTURE.write_text(draw(tomllib.loads(SOURCE.read_text())))


def draw(picture: dict[str, Any]) -> str:
    """The SVG of what architecture.toml says. Raises KeyError for an arrow from or to what is not there."""
    width, height = (UNIT * length for length in picture["size"])
    items = {item["name"]: item for item in picture["band"] + picture["box"]}
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(picture['title'])}</title>",
        f"<style>{STYLE}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path class="head" d="M0 0 8 4 0 8z"/></marker>',
        rectangle("page", 0.5, 0.5, width - 1, height - 1, 12),
    ]
    for band in picture["band"]:
        lines += heading(band)
    for start, ends in picture["arrows"].items():
        lines += [arrow(items[start], items[end]) for end in ends]
    for box in picture["box"]:
        lines += described(box)
    return "\n".join([*lines, "</svg>"]) + "\n"


def heading(band: dict[str, Any]) -> list[str]:
    left, top, width, height = place(band)
    title = f'<tspan class="heading">{escape(band["title"])}</tspan>'
    note = f'<tspan class="note" dx="12">{escape(band["note"])}</tspan>'
    return [
        rectangle("band", left, top, width, height, 10),
        f'<text x="{left + UNIT:g}" y="{top + 1.5 * UNIT:g}">{title}{note}</text>',
    ]


def described(box: dict[str, Any]) -> list[str]:
    """A box with its words in the middle, or above its layers."""
    left, top, width, height = place(box)
    middle, layers = left + width / 2, box.get("layers", [])
    words = top + 1.25 * UNIT if layers else top + height / 2 + (-3 if "note" in box else 5)
    lines = [
        f'<g class="box {box["kind"]}">',
        rectangle("", left, top, width, height, 6),
        text("title", middle, words, box["title"]),
    ]
    if "note" in box:
        lines.append(text("note", middle, words + 18, box["note"]))
    for number, layer in enumerate(layers):
        line = top + (3 + 1.75 * number) * UNIT
        lines.append(rectangle("layer-box", left + UNIT / 2, line, width - UNIT, 1.5 * UNIT, 4))
        lines.append(text("layer", middle, line + 19, layer))
    return [*lines, "</g>"]


def arrow(start: dict[str, Any], end: dict[str, Any]) -> str:
    """A straight arrow to the right, down or up, at the middle of the smaller one."""
    x1, y1, width1, height1 = place(start)
    x2, y2, width2, height2 = place(end)
    if x2 >= x1 + width1:
        y = min((height1, y1), (height2, y2))
        return line(x1 + width1, y[1] + y[0] / 2, x2, y[1] + y[0] / 2)
    x = min((width1, x1), (width2, x2))
    down = y2 > y1
    return line(x[1] + x[0] / 2, y1 + height1 if down else y1, x[1] + x[0] / 2, y2 if down else y2 + height2)


def place(item: dict[str, Any]) -> tuple[float, float, float, float]:
    """Left, top, width and height in pixels."""
    left, top, width, height = (UNIT * length for length in item["at"])
    return left, top, width, height


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="arrow" d="M{x1:g} {y1:g} {x2:g} {y2:g}" marker-end="url(#head)"/>'


def rectangle(kind: str, left: float, top: float, width: float, height: float, radius: float) -> str:
    return f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="middle">{escape(words)}</text>'


if __name__ == "__main__":
    main()
