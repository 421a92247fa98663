"""The rates of a Locust shape as phases of a run: its users are requests a second here.

Owns how a shape is read: it is asked for each second of its course before anything is sent, so that every
engine has the same course. It must look at the time alone. This file does not import Locust, which replaces
the sockets of the process that does.

Source: Locust's `LoadTestShape.tick`, which "returns a tuple with 2 elements" or None at the end.
"""

from itertools import groupby
from typing import Any, Final, Protocol

from gossamer.loadtest.phases import PHASES_MAX, RATE_MAX

SECONDS_MAX: Final = 86_400
"""Of a shape that has no end, so much is run."""


class TickingShape(Protocol):
    """A `LoadTestShape`."""

    def tick(self) -> Any:
        """(users, spawn rate, ...), or None at the end."""


def rates_of(shape: TickingShape) -> list[float]:
    """The rate of each second. Raises: ValueError, in one line."""
    rates: list[float] = []
    for second in range(SECONDS_MAX):
        vars(shape)["get_run_time"] = lambda second=second: float(second)
        tick = shape.tick()
        if tick is None:
            break
        if not 0 <= tick[0] <= RATE_MAX:
            raise ValueError(f"found {tick[0]} at {second} s; allowed: 0 to {RATE_MAX:g} a second")
        rates.append(float(tick[0]))
    if not any(rates):
        raise ValueError("found no second with a request; allowed: users above 0")
    return rates


def phases_of(rates: list[float]) -> str:
    """Phases as `gossamer load --rate` reads them. Raises: ValueError, in one line."""
    phases = [(rate, len(list(same))) for rate, same in groupby(rates)]
    if len(phases) > PHASES_MAX:
        raise ValueError(f"found {len(phases):,} steps; allowed: {PHASES_MAX:,}")
    return ",".join(f"{rate:.10g}:{seconds}s" for rate, seconds in phases)
