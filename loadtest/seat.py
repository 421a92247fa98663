"""Which part of a run this process has: all of it, or, in `loadtest.engines`, one of several.

Owns the seat of a process that is alone.
"""

from typing import TYPE_CHECKING, Final

from gossamer.loadtest.tally import Tally

if TYPE_CHECKING:
    from gossamer.loadtest.run import LoadRun

LEAD_US: Final = 1_000
LEAD_US_EACH: Final = 20
"""The clock starts so long after all connections stand, and so much for each, so that all their threads wait
when the first request is due."""


class Seat:
    """Of engine `number`, whose requests are number, number + engines, ... of the whole run."""

    def __init__(self, number: int = 0, engines: int = 1) -> None:
        self.number, self.engines = number, engines

    def tally(self) -> Tally:
        """What counts."""
        return Tally()

    async def begin_us(self, run: "LoadRun") -> int:
        """When the clock starts, now that all connections have been tried."""
        lead_us = LEAD_US + LEAD_US_EACH * len(run.callers) if run.options.rate else 0
        return run.clock() + lead_us

    def look(self, run: "LoadRun") -> None:
        """Nobody else wants to know anything."""
