"""What a bench finds: points of several series, figures beside their goals, and the JSON of a run.

Owns the records; measures and shows nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

from gossamer.loadtest.intervals import Figure, figure
from gossamer.loadtest.surroundings import Surroundings

SCHEMA: Final = "gossamer-bench/1"

Place = float | str | None
"""Where a point stands: at a number of a horizontal axis, under a name, or nowhere but in its series."""

Values = dict[str, float]
"""What one sample says, by column."""

Verdict = Literal["met", "missed", "not decided"]

Say = Callable[[str], None]
"""Reports progress."""


class Column(msgspec.Struct, frozen=True):
    """One thing that is measured of every point."""

    name: str
    label: str
    """As an axis has it, with the unit."""
    more_is_better: bool = False
    is_drawn: bool = True


class Axes(msgspec.Struct, frozen=True):
    """How the points are shown: a column of the table and a panel of the picture for each."""

    title: str
    x_label: str
    """Empty where points stand nowhere but in their series."""
    columns: tuple[Column, ...]
    is_log_x: bool = True


class Point(msgspec.Struct, frozen=True):
    """What one subject was measured at, in one place."""

    series: str
    """Who was measured: "gossamer", "asyncio", ..."""
    x: Place
    rounds: list[Values | None]
    """One sample a round; null where it failed."""
    figures: dict[str, Figure]
    """What these say, by column."""


def point(series: str, x: Place, rounds: Sequence[Values | None]) -> Point:
    """A point of its samples, of which there is one at least."""
    taken = [values for values in rounds if values]
    columns = dict.fromkeys(name for values in taken for name in values)
    found = {name: figure([values[name] for values in taken if name in values]) for name in columns}
    return Point(series, x, list(rounds), found)


class Goal(msgspec.Struct, frozen=True):
    """A figure and what it must be."""

    name: str
    figure: Figure
    samples: list[float]
    limit: float
    unit: str
    verdict: Verdict
    """Only what the interval decides: "not decided" where it holds the limit, or where there is none."""
    is_least: bool = False
    """Whether the figure must reach the limit; else it must not exceed it."""


def goal(
    name: str,
    samples: Sequence[float],
    limit: float,
    unit: str,
    *,
    is_least: bool = False,
    is_count: bool = False,
) -> Goal:
    """A goal of its samples; of a count of what must never happen one sample decides."""
    found = figure(samples)
    edges = (found.least, found.greatest) if is_count else (found.low, found.high)
    verdict = verdict_on(edges, limit, is_least=is_least)
    return Goal(name, found, list(samples), limit, unit, verdict, is_least)


def verdict_on(edges: tuple[float | None, float | None], limit: float, *, is_least: bool) -> Verdict:
    """What an interval says of a limit."""
    low, high = edges
    if low is None or high is None:
        return "not decided"
    if is_least:
        return "met" if low >= limit else "missed" if high < limit else "not decided"
    return "met" if high <= limit else "missed" if low > limit else "not decided"


class Result(msgspec.Struct, frozen=True):
    """What one run of a bench found."""

    name: str
    axes: Axes
    points: list[Point]
    goals: list[Goal]
    notes: list[str] = []
    figures: dict[str, float] = {}
    """Those of `FURTHER` that it has."""


FURTHER: Final = (
    "count",
    "bytes_per_thread",
    "switch_us",
    "bytes_per_connection",
    "drained_s",
    "segments_per_second",
)
"""Figures that programs look for, at the top level of the JSON: medians."""


class Document(msgspec.Struct, frozen=True):
    """The JSON of one run: what it found, where, when and how."""

    schema: Literal["gossamer-bench/1"]
    name: str
    """Of the bench."""
    environment: Surroundings
    settings: dict[str, Any]
    """The options, by name."""
    elapsed_s: float
    axes: Axes
    points: list[Point]
    goals: list[Goal]
    notes: list[str]
    count: float | msgspec.UnsetType = msgspec.UNSET
    bytes_per_thread: float | msgspec.UnsetType = msgspec.UNSET
    switch_us: float | msgspec.UnsetType = msgspec.UNSET
    bytes_per_connection: float | msgspec.UnsetType = msgspec.UNSET
    drained_s: float | msgspec.UnsetType = msgspec.UNSET
    segments_per_second: float | msgspec.UnsetType = msgspec.UNSET


def document(
    result: Result, environment: Surroundings, settings: dict[str, Any], elapsed_s: float
) -> Document:
    """The JSON of what was found."""
    further = {name: result.figures[name] for name in FURTHER if name in result.figures}
    return Document(
        SCHEMA,
        result.name,
        environment,
        settings,
        elapsed_s,
        result.axes,
        result.points,
        result.goals,
        result.notes,
        **further,
    )
