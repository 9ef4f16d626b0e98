"""Curves as SVG: logarithmic axes, on which whatever grows in proportion is a straight line of slope 1."""

from __future__ import annotations

import math
from pathlib import Path
from xml.sax.saxutils import escape

from bench.growth import Curve

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 50
COLOURS = ("#1f6feb", "#d1571b", "#2c8a4b")


def draw(curve: Curve, file: Path) -> None:
    """Write the picture of a curve that has samples."""
    points = [point for line in curve.lines for point in curve.points(line)]
    sizes = sorted({size for size, _ in points})
    low = 10 ** math.floor(math.log10(min(seconds for _, seconds in points)))
    high = 10 ** math.ceil(math.log10(max(seconds for _, seconds in points)))

    def x(size: float) -> float:
        span = math.log(sizes[-1] / sizes[0]) or 1.0
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(size / sizes[0]) / span

    def y(seconds: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(seconds / low) / math.log(high / low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 20, f"{curve.title}: seconds to the first 200, by {curve.axis}", "start"),
    ]
    seconds = low
    while seconds <= high * 1.001:
        parts.append(grid(LEFT, y(seconds), WIDTH - RIGHT, y(seconds)))
        parts.append(text(LEFT - 6, y(seconds) + 4, f"{seconds:g} s", "end"))
        seconds *= 10
    for size in sizes:
        parts.append(grid(x(size), TOP, x(size), HEIGHT - BOTTOM))
        parts.append(text(x(size), HEIGHT - BOTTOM + 18, str(size), "middle"))
    for number, (line, colour) in enumerate(zip(curve.lines, COLOURS, strict=False)):
        places = [(x(size), y(value), value) for size, value in curve.points(line)]
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down, _ in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for across, down, value in places:
            parts.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>')
            parts.append(text(across, down - 7, f"{value:.2f}", "middle", colour))
        parts.append(text(LEFT + 180 * number, HEIGHT - 10, f"\N{EM DASH} {line}", "start", colour))
    file.write_text("\n".join([*parts, "</svg>"]) + "\n")


def grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def text(x: float, y: float, content: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="{colour}">{escape(content)}</text>'
