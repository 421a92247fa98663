"""The highest rate that holds a threshold: a pure decider.

    (search, what a step at a rate showed) -> the next rate, or None: it is found

    double (or halve) from the first rate until one holds and a higher one does not -> bisect until they are
    within PRECISION; a step that failed is repeated, and where the two disagree a third decides

Owns the choice of rates. It knows nothing of how a step is made.
"""

from typing import Final

import msgspec

PRECISION: Final = 1.05
"""How far apart the rate that holds and the one that does not are at last."""
STEPS_MAX: Final = 60
RATE_MIN: Final = 0.1


class Step(msgspec.Struct, frozen=True):
    """One step of a search, and what it showed."""

    rate: float
    holds: bool


class Search(msgspec.Struct, frozen=True):
    """How far a search has come. Units: requests a second."""

    first_rate: float
    most_rate: float
    steps: tuple[Step, ...] = ()

    def believed(self) -> dict[float, bool]:
        """What is known of each rate: held once is held, failed must be seen twice."""
        rates = dict.fromkeys(step.rate for step in self.steps)
        found = {rate: verdict_of([step.holds for step in self.steps if step.rate == rate]) for rate in rates}
        return {rate: holds for rate, holds in found.items() if holds is not None}

    @property
    def found(self) -> float:
        """The highest rate that held, below all that did not; 0 when none did."""
        believed = self.believed()
        failed = min((rate for rate, holds in believed.items() if not holds), default=float("inf"))
        return max((rate for rate, holds in believed.items() if holds and rate < failed), default=0.0)

    @property
    def failed(self) -> float | None:
        """The lowest rate that did not hold."""
        return min((rate for rate, holds in self.believed().items() if not holds), default=None)


def verdict_of(shown: list[bool]) -> bool | None:
    """What the steps at one rate show together; None where another is needed."""
    if shown[0]:
        return True
    if len(shown) == 1 or (len(shown) == 2 and shown[1]):
        return None
    return shown[1:].count(True) > 1 if len(shown) > 2 else False


def next_rate(search: Search) -> float | None:
    """The rate of the next step; None when the search is over."""
    if len(search.steps) >= STEPS_MAX:
        return None
    if not search.steps:
        return search.first_rate
    last = search.steps[-1].rate
    if last not in search.believed():
        return last
    low, high = search.found, search.failed
    if high is None:
        return None if low >= search.most_rate else min(2 * low, search.most_rate)
    if low == 0:
        return high / 2 if high / 2 >= RATE_MIN else None
    return None if high / low <= PRECISION else rounded((low * high) ** 0.5, low, high)


def rounded(rate: float, low: float, high: float) -> float:
    """Three digits of a rate, where that still is between the two."""
    short = float(f"{rate:.3g}")
    return short if low < short < high else rate


def shown(search: Search, rate: float, holds: bool) -> Search:
    """The search after a step."""
    return msgspec.structs.replace(search, steps=(*search.steps, Step(rate, holds)))
