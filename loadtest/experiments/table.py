"""An experiment's result as tables that fit 100 columns.

Owns the display; computes nothing.
"""

from typing import Final

from rich.console import Console
from rich.table import Table

from gossamer.loadtest.experiments.experiment import Point, Result

WIDTH: Final = 100


def show(result: Result, console: Console) -> None:
    """Print the points, the goals and the notes."""
    console.print(points_table(result))
    if result.goals:
        console.print(goals_table(result))
    for note in result.notes:
        console.print(note, markup=False)


def points_table(result: Result) -> Table:
    """One row a point."""
    table = Table(title=result.axes.title)
    columns = list(dict.fromkeys(name for point in result.points for name in point.values))
    table.add_column("")
    for name in (result.axes.x_label, *columns):
        table.add_column(name, justify="right")
    for point in result.points:
        table.add_row(point.series, number(point.x), *(_cell(point, name) for name in columns))
    return table


def _cell(point: Point, name: str) -> str:
    value = point.values.get(name)
    return "" if value is None else number(value)


def number(value: float) -> str:
    """Three digits of a small figure, the whole ones of a large one."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:,.3g}"


def goals_table(result: Result) -> Table:
    """One row a goal."""
    table = Table(title="Goals")
    for title in ("what", "found", "wanted", ""):
        table.add_column(title, justify="right" if title in ("found", "wanted") else "left")
    for goal in result.goals:
        verdict = "[green]met[/green]" if goal.is_met else "[red]missed[/red]"
        wanted = f"at {'least' if goal.is_least else 'most'} {number(goal.limit)} {goal.unit}"
        table.add_row(goal.name, f"{number(goal.figure)} {goal.unit}", wanted, verdict)
    return table
