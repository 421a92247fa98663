"""What an experiment finds: points of several series, and figures beside their goals.

Owns the records; measures and shows nothing.
"""

from collections.abc import Callable
from typing import Any

import msgspec


class Point(msgspec.Struct, frozen=True):
    """What one subject was measured at, in one place of the horizontal axis."""

    series: str
    """Who was measured: "gossamer", "asyncio", ..."""
    x: float
    values: dict[str, float]
    """By column of the table."""


class Goal(msgspec.Struct, frozen=True):
    """A figure and what it must be."""

    name: str
    figure: float
    limit: float
    unit: str
    is_least: bool = False
    """Whether the figure must reach the limit; else it must not exceed it."""

    @property
    def is_met(self) -> bool:
        """Whether it is what it must be."""
        return self.figure >= self.limit if self.is_least else self.figure <= self.limit


class Axes(msgspec.Struct, frozen=True):
    """How the points are drawn: one panel for each of the columns."""

    title: str
    x_label: str
    panels: tuple[tuple[str, str], ...]
    """(column, its label with the unit)."""
    is_log_x: bool = True
    are_rounds: bool = False
    """What stands along x are repetitions: a bar a series, from least to most, and no curve through them."""


class Result(msgspec.Struct, frozen=True):
    """What one run of an experiment found."""

    name: str
    axes: Axes
    points: list[Point]
    goals: list[Goal]
    notes: list[str] = []
    figures: dict[str, Any] = {}
    """Further figures that programs look for, at the top level of the JSON."""

    def as_json(self) -> dict[str, Any]:
        """One object."""
        return {
            "name": self.name,
            **self.figures,
            "points": [msgspec.structs.asdict(point) for point in self.points],
            "goals": [{**msgspec.structs.asdict(goal), "is_met": goal.is_met} for goal in self.goals],
            "notes": self.notes,
        }


Say = Callable[[str], None]
"""Reports progress."""
