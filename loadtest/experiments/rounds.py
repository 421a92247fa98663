"""Interleaved rounds: every subject once, one right after the other, again and again, until the time is over.

Owns the order, the bound in time, and what pairs of one round say: what the machine did meanwhile hits both
sides of a pair alike. It knows nothing of what is measured.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Place, Point, Say, Values, point

Key = tuple[str, Place]
"""A series, and where in it."""

Round = dict[Key, Values]
"""What was found of each; who failed, or was not begun, is not in it."""


class Pace(msgspec.Struct):
    """How long a run is, and what it has to say."""

    say: Say
    rounds: int
    seconds: int = 1
    """Of a sample, where samples have a length."""
    time_limit_s: float = float("inf")
    """Nothing is begun after it."""
    started_s: float = msgspec.field(default_factory=time.monotonic)
    notes: list[str] = msgspec.field(default_factory=list)

    def elapsed_s(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self.started_s

    def is_over(self, what: str) -> bool:
        """Whether the time is over before that begins, which is noted."""
        if self.elapsed_s() <= self.time_limit_s:
            return False
        self.note(f"{what} and what follows: not begun, the time is over (--time-limit)")
        return True

    def note(self, text: str) -> None:
        """Keep it, once."""
        if text not in self.notes:
            self.notes.append(text)


def interleaved(
    pace: Pace, keys: Sequence[Key], take: Callable[[Key], Values], rounds: int = 0, what: str = "round"
) -> list[Round]:
    """So many rounds of all, each second one in the reverse order; `rounds` 0: as many as were asked for."""
    rounds = rounds or pace.rounds
    found: list[Round] = []
    for number in range(1, rounds + 1):
        found.append({})
        for key in keys if number % 2 else keys[::-1]:
            if pace.is_over(f"{what} {number}, {words_of(key)}"):
                return found
            pace.say(f"{what} {number} of {rounds}: {words_of(key)}")
            try:
                found[-1][key] = take(key)
            except MeasurementFailed as error:
                pace.note(f"{words_of(key)}: {error}")
    return found


def words_of(key: Key) -> str:
    """As people are told of it."""
    name, x = key
    if x is None:
        return name
    if isinstance(x, str):
        return f"{name}, {x}"
    return f"{name}, {x:,.0f}" if float(x).is_integer() else f"{name}, {x:g}"


def points_of(rounds: Sequence[Round]) -> list[Point]:
    """All that was measured; a series stands together, in the order of its first round.

    Raises: MeasurementFailed where nothing was.
    """
    keys = list(dict.fromkeys(key for found in rounds for key in found))
    if not keys:
        raise MeasurementFailed("nothing was measured: every subject failed, or the time was over")
    return [point(*key, [found.get(key) for found in rounds]) for key in keys]


def ratios(rounds: Sequence[Round], above: Key, below: Key, column: str) -> list[float]:
    """One key over another by a column, in the rounds that have both."""
    return [
        round(found[above][column] / found[below][column], 4)
        for found in rounds
        if above in found and below in found and found[below][column]
    ]
