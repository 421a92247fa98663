"""Which part of a run this process has: all of it, or, in `loadtest.engines`, one of several.

Owns the seat of a process that is alone.
"""

from typing import Protocol

from gossamer.core.clock import Clock
from gossamer.loadtest.tally import Tally


class SeatedRun(Protocol):
    """What a seat must know of the run that has it."""

    clock: Clock
    tally: Tally
    stood: int
    is_stopped: bool
    is_interrupted: bool
    ended_by: str

    @property
    def lead_us(self) -> int:
        """How long before the first request the clock starts."""

    def end_at(self, now_us: int) -> None:
        """Have the time be over now."""


class Seat:
    """Of engine `number`, whose requests are number, number + engines, ... of the whole run."""

    def __init__(self, number: int = 0, engines: int = 1) -> None:
        self.number, self.engines = number, engines

    def tally(self) -> Tally:
        """What counts."""
        return Tally()

    async def begin_us(self, run: SeatedRun) -> int:
        """When the clock starts, now that all connections have been tried."""
        return run.clock() + run.lead_us

    def look(self, run: SeatedRun) -> None:
        """Nobody else wants to know anything."""
