"""What a bench found as a picture, in PNG and SVG: readable where it is 800 points wide.

Owns the drawing, and what every picture of a bench has: the interval of each figure, and below it a line that
says when, of which commit and on which machine. Rounds are no axis: they are what an interval is made of.
matplotlib is the optional extra `plots`, imported only here.
"""

import textwrap
from collections.abc import Collection, Sequence
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from gossamer.loadtest.experiments.experiment import Column, Document, Place, Point
from gossamer.loadtest.intervals import CONFIDENCE, SAMPLES_MIN, Figure
from gossamer.loadtest.surroundings import Surroundings, caption
from gossamer.shards.exitcode import CannotStartError

DPI: Final = 100
WIDTH_INCHES: Final = 8.0
"""800 points."""
PANELS_ABREAST: Final = 2
PANEL_INCHES: Final = 3.1
TITLE_INCHES: Final = 0.45
LEGEND_INCHES: Final = 0.15
LEGEND_LINE_INCHES: Final = 0.18
CAPTION_LETTERS: Final = 150
"""In a line of the caption, at its size."""
CAPTION_POINTS: Final = 7
LINE_INCHES: Final = 0.14
TEXT_POINTS: Final = 9
MARKERS: Final = "osD^vP*X"
HOW: Final = (
    f"Medians of rounds; lines: intervals that hold them {CONFIDENCE * 100:.0f} times in 100, with fewer "
    f"than {SAMPLES_MIN} rounds least and greatest"
)
LOG_RATIO: Final = 20
"""Values further apart than this are drawn on a logarithmic axis."""
NAMES_ABREAST: Final = 8
"""More names than these stand upright below an axis."""
UPRIGHT_INCHES: Final = 1.5
"""What that takes."""
BAR_SHARE: Final = 0.8
"""Of the room between two names, what their bars take."""


def pyplot() -> Any:
    """matplotlib, drawing into files. Raises: CannotStartError when it is not installed."""
    try:
        import_module("matplotlib").use("Agg")
        return import_module("matplotlib.pyplot")
    except ModuleNotFoundError as error:
        raise CannotStartError(
            "--plot: matplotlib is not installed; `pip install 'gossamer[plots]'` installs it"
        ) from error


def draw(found: Document, prefix: Path) -> list[Path]:
    """Write PREFIX.png and PREFIX.svg; returns their paths. Raises: CannotStartError, OSError."""
    columns = [
        column
        for column in found.axes.columns
        if column.is_drawn and any(column.name in point.figures for point in found.points)
    ]
    abreast = min(PANELS_ABREAST, len(columns))
    lines = -(-len(columns) // abreast)
    panel_inches = PANEL_INCHES + (UPRIGHT_INCHES if _stand_upright({each.x for each in found.points}) else 0)
    figure, axes = sheet(lines, abreast, panel_inches * lines + TITLE_INCHES)
    panels = list(axes.flat)
    for axis, column in zip(panels, columns, strict=False):
        _panel(axis, found, column)
    for axis in panels[len(columns) :]:
        axis.set_visible(False)
    finish(figure, found.axes.title, found.environment, panels[: len(columns)])
    return save(figure, prefix)


def sheet(lines: int, abreast: int, height_inches: float, **shared: Any) -> tuple[Any, Any]:
    """A figure of panels, as wide as all are."""
    options = {"squeeze": False, "layout": "constrained", "facecolor": "white", **shared}
    found: tuple[Any, Any] = pyplot().subplots(
        lines, abreast, figsize=(WIDTH_INCHES, height_inches), **options
    )
    return found


def finish(
    figure: Any, title: str, around: Surroundings, panels: Sequence[Any] = (), abreast: int = 4
) -> None:
    """The title above; below everything, in room of their own, the legend of these panels and the caption."""
    figure.suptitle("\n".join(textwrap.wrap(title, 80)), fontsize=TEXT_POINTS + 2)
    lines = textwrap.wrap(f"{HOW}. {caption(around)}", CAPTION_LETTERS)
    caption_inches = LINE_INCHES * (len(lines) + 1)
    room_inches = caption_inches + _legend(figure, panels, abreast, caption_inches)
    room = room_inches / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, room, 1, 1 - room))
    height = LINE_INCHES / 2 / figure.get_figheight()
    figure.text(0.01, height, "\n".join(lines), fontsize=CAPTION_POINTS, color="dimgray")


def _legend(figure: Any, panels: Sequence[Any], abreast: int, above_inches: float) -> float:
    """One for all panels, that far above the lower edge; how high it is, in inches."""
    named: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if len(named) < 2:
        return 0.0
    figure.legend(
        named.values(),
        named.keys(),
        loc="lower center",
        bbox_to_anchor=(0.5, above_inches / figure.get_figheight()),
        ncols=min(abreast, len(named)),
        fontsize=TEXT_POINTS - 1,
    )
    return LEGEND_INCHES + LEGEND_LINE_INCHES * -(-len(named) // abreast)


def save(figure: Any, prefix: Path) -> list[Path]:
    """Write PREFIX.png and PREFIX.svg, and forget the figure; their paths. Raises: OSError."""
    paths = [prefix.with_name(f"{prefix.name}{suffix}") for suffix in (".png", ".svg")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)
    pyplot().close(figure)
    return paths


def around_median(found: Sequence[Figure]) -> tuple[list[float], list[float]]:
    """How far below and above each median its interval reaches; where there is none, its samples."""
    below = [each.median - (each.least if each.low is None else each.low) for each in found]
    above = [(each.greatest if each.high is None else each.high) - each.median for each in found]
    return [max(0.0, length) for length in below], [max(0.0, length) for length in above]


def _panel(axis: Any, found: Document, column: Column) -> None:
    points = [point for point in found.points if column.name in point.figures]
    if all(isinstance(point.x, int | float) for point in points):
        _curves(axis, found, points, column)
    else:
        _bars(axis, points, column)
    axis.set_ylabel(column.label, fontsize=TEXT_POINTS)
    axis.tick_params(labelsize=TEXT_POINTS - 1)


def _curves(axis: Any, found: Document, points: list[Point], column: Column) -> None:
    """A curve through the medians of each series."""
    names = list(dict.fromkeys(point.series for point in found.points))
    for number, name in enumerate(names):
        mine = (point for point in points if point.series == name)
        its = sorted(((_number(point), point.figures[column.name]) for point in mine), key=itemgetter(0))
        if its:
            figures = [each for _, each in its]
            axis.errorbar(
                [x for x, _ in its],
                [each.median for each in figures],
                yerr=around_median(figures),
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                capsize=3,
                label=name,
                color=f"C{number}",
            )
    if found.axes.is_log_x:
        axis.set_xscale("symlog" if any(point.x == 0 for point in points) else "log")
    _scale(axis, [point.figures[column.name] for point in points])
    axis.set_xlabel(found.axes.x_label, fontsize=TEXT_POINTS)
    axis.grid(alpha=0.3)


def _stand_upright(names: Collection[Place]) -> bool:
    """Whether names of places are too many to stand beside each other; numbers never are."""
    return len(names) > NAMES_ABREAST and all(isinstance(name, str) for name in names)


def _number(point: Point) -> float:
    """Where it stands on an axis of numbers."""
    assert isinstance(point.x, int | float)
    return point.x


def _scale(axis: Any, figures: list[Figure]) -> None:
    """From zero, but where the values lie too far apart."""
    values = [each.median for each in figures if each.median > 0]
    if values and max(values) > LOG_RATIO * min(values):
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)


def _bars(axis: Any, points: list[Point], column: Column) -> None:
    """A group of bars for each name along x, one a series; without names a bar a series."""
    series = list(dict.fromkeys(point.series for point in points))
    places = list(dict.fromkeys(point.x for point in points))
    width = BAR_SHARE / len(series) if len(places) > 1 else BAR_SHARE
    for number, name in enumerate(series):
        its = [
            (places.index(point.x), point.figures[column.name]) for point in points if point.series == name
        ]
        figures = [each for _, each in its]
        offset = (number - (len(series) - 1) / 2) * width if len(places) > 1 else number
        axis.bar(
            [place + offset for place, _ in its],
            [each.median for each in figures],
            width,
            yerr=around_median(figures),
            capsize=3,
            label=name if len(places) > 1 else None,
            color=f"C{number}",
        )
    names = series if len(places) == 1 else [str(place) for place in places]
    angle = 90 if _stand_upright(names) else 0
    axis.set_xticks(range(len(names)), names, fontsize=TEXT_POINTS - 1, rotation=angle)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3, axis="y")
