"""Curves as SVG, on logarithmic axes, where whatever grows in proportion is a straight line of slope 1; and stacked bars."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from bench.growth import Curve

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 50
COLOURS = ("#1f6feb", "#d1571b", "#2c8a4b")
BAR = 40  # height of a bar with the room around it


@dataclass
class Bars:
    """A picture of bars, one below the other: for each the samples of its parts, in seconds."""

    name: str
    title: str
    parts: tuple[str, ...]
    bars: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, bar: str, *parts: list[float]) -> None:
        self.bars[bar] = list(parts)


def draw(picture: Curve | Bars, file: Path) -> None:
    """Write the picture of what has samples."""
    lines = draw_bars(picture) if isinstance(picture, Bars) else draw_curve(picture)
    file.write_text("\n".join([*lines, "</svg>"]) + "\n")


def draw_bars(picture: Bars) -> list[str]:
    """Medians, one part after the other."""
    medians = {bar: [statistics.median(part) for part in parts] for bar, parts in picture.bars.items()}
    scale = (WIDTH - LEFT - RIGHT) / (1.1 * max(sum(parts) for parts in medians.values()))
    height = TOP + BAR * len(medians) + BOTTOM
    lines = [*begin(height), text(LEFT, 20, picture.title, "start")]
    for row, (bar, parts) in enumerate(medians.items()):
        x, y = float(LEFT), TOP + BAR * row
        lines.append(text(LEFT, y - 4, bar, "start"))
        for seconds, colour in zip(parts, COLOURS, strict=False):
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{seconds * scale:.1f}" height="{BAR // 2}" fill="{colour}"/>'
            )
            lines.append(text(x + seconds * scale / 2, y + 14, f"{seconds:.1f}", "middle", "white"))
            x += seconds * scale
        lines.append(text(x + 6, y + 14, f"{sum(parts):.1f} s", "start"))
    for number, (part, colour) in enumerate(zip(picture.parts, COLOURS, strict=False)):
        lines.append(text(LEFT + 180 * number, height - 10, f"\N{EM DASH} {part}", "start", colour))
    return lines


def draw_curve(curve: Curve) -> list[str]:
    """A line for each of the curve's, with its figures."""
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
        *begin(HEIGHT),
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
    return parts


def begin(height: int) -> list[str]:
    """A white sheet."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]


def grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def text(x: float, y: float, content: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="{colour}">{escape(content)}</text>'
