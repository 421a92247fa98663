"""What a bench found as tables: a median with its interval, and a verdict only where that decides.

Owns the display; computes nothing.
"""

from typing import Final

from rich.console import Console
from rich.table import Table

from gossamer.loadtest.experiments.experiment import Document, Goal, Place
from gossamer.loadtest.intervals import CONFIDENCE, SAMPLES_MIN, Figure
from gossamer.loadtest.surroundings import lines_of

WIDTH: Final = 132
COLOURS: Final = {"met": "green", "missed": "red", "not decided": "yellow"}
HOW: Final = (
    f"each figure: the median of the rounds, and the interval that holds it {CONFIDENCE * 100:.0f} times in "
    f"100; with fewer than {SAMPLES_MIN} rounds the least and the greatest, by which nothing is decided"
)


def show(found: Document, console: Console) -> None:
    """Print the points, the goals, the notes, and where it was."""
    console.print(points_table(found))
    if found.goals:
        console.print(goals_table(found.goals))
    show_lines([*found.notes, HOW, *lines_of(found.environment, found.elapsed_s)], console)


def show_lines(lines: list[str], console: Console) -> None:
    """Print text as it is."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def points_table(found: Document) -> Table:
    """One row a point."""
    table = Table(title=found.axes.title, title_justify="left")
    names = [
        column.name
        for column in found.axes.columns
        if any(column.name in point.figures for point in found.points)
    ]
    table.add_column("", no_wrap=True)
    if found.axes.x_label:
        table.add_column(found.axes.x_label, justify="right")
    for name in (*names, "rounds"):
        table.add_column(name, justify="right")
    for point in found.points:
        where = [place_text(point.x)] if found.axes.x_label else []
        cells = [figure_text(point.figures.get(name)) for name in names]
        rounds = max(each.rounds for each in point.figures.values())
        table.add_row(point.series, *where, *cells, str(rounds))
    return table


def place_text(x: Place) -> str:
    """Where a point stands."""
    if x is None:
        return ""
    return x if isinstance(x, str) else number(x)


def figure_text(found: Figure | None, unit: str = "") -> str:
    """The median, and its interval; where there is none, how far the samples lie apart."""
    if found is None:
        return ""
    if found.rounds == 1:
        return f"{number(found.median)}{unit}"
    low = found.least if found.low is None else found.low
    high = found.greatest if found.high is None else found.high
    return f"{number(found.median)}{unit} {number(low)}-{number(high)}"


def number(value: float) -> str:
    """Three digits of a small figure, the whole ones of a large one."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:,.3g}"


def goals_table(goals: list[Goal]) -> Table:
    """One row a goal."""
    table = Table(title="Goals", title_justify="left")
    for title in ("what", "found", "wanted", "", "rounds"):
        table.add_column(title, justify="right" if title in ("found", "wanted", "rounds") else "left")
    for goal in goals:
        verdict = f"[{COLOURS[goal.verdict]}]{goal.verdict}[/]"
        wanted = f"at {'least' if goal.is_least else 'most'} {number(goal.limit)} {goal.unit}"
        found = f"{figure_text(goal.figure)} {goal.unit}"
        table.add_row(goal.name, found, wanted, verdict, str(goal.figure.rounds))
    return table
