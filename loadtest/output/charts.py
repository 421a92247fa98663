"""Charts as SVG: lines over an axis that is even or logarithmic. Pure.

Owns how figures become points; colours are classes, so that a page's style says what they are.
"""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final, NamedTuple

WIDTH: Final = 640
HEIGHT: Final = 240
LEFT: Final = 84
RIGHT: Final = 26
TOP: Final = 10
BOTTOM: Final = 30
TICKS: Final = 5

Shown = Callable[[float], str]


class ChartLine(NamedTuple):
    """One curve: its name, and its points by x."""

    name: str
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """From where to where, and where it is marked."""

    least: float
    most: float
    ticks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """How far along the axis a value stands, 0 to 1."""
        return (value - self.least) / (self.most - self.least)


def even_axis(most: float, shown: Shown) -> Axis:
    """From 0 to a round number above."""
    if most <= 0:
        return Axis(0, 1, [(0, shown(0))])
    step = 10 ** floor(log10(most / TICKS))
    step = next(step * factor for factor in (1, 2, 5, 10) if step * factor * TICKS >= most)
    count = ceil(most / step)
    return Axis(0, count * step, [(number * step, shown(number * step)) for number in range(count + 1)])


def nines_axis(samples: int) -> Axis:
    """Of percentiles: each nine as wide as the one before, as far as there are samples.

    x = -log10(1 - share), so that 90 % stands at 1, 99 % at 2.
    """
    nines = max(1, min(6, ceil(log10(max(samples, 10)))))
    ticks = [(0.0, "0"), (nine_of(50), "50")]
    ticks += [
        (float(n), "90" if n == 1 else f"99{'.' if n > 2 else ''}{'9' * (n - 2)}")
        for n in range(1, nines + 1)
    ]
    return Axis(0, nines, ticks)


def nine_of(percent: float) -> float:
    """Where a percentile stands on such an axis."""
    return -log10(1 - percent / 100)


def chart(title: str, lines: Sequence[ChartLine], across: Axis, up: Axis, across_title: str) -> str:
    """A figure with its caption."""
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + across.share(x) * plot_width, TOP + (1 - up.share(y)) * plot_height

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for value, text in up.ticks:
        _, y = place(across.least, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    for value, text in across.ticks:
        x, _ = place(value, up.least)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(text)}</text>')
    for number, line in enumerate(lines):
        points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line.points)
        parts.append(f'<polyline class="line l{number}" points="{points}"/>')
    parts.append("</svg>")
    names = "".join(
        f'<span class="key k{number}">{escape(line.name)}</span>' for number, line in enumerate(lines)
    )
    caption = f"<figcaption><b>{escape(title)}</b> {names}<small>{escape(across_title)}</small></figcaption>"
    return f"<figure>{caption}{''.join(parts)}</figure>"
