"""One direction of a wire: when, and how often, each segment comes out.

Owns the faults and the seeded generator that draws them. It never looks into a segment.

Source: the fault models of tc-netem(8).
"""

from random import Random

import msgspec
from gossamer.core.clock import SECOND_US

DELAY_US_MAX = 10 * SECOND_US


class Faults(msgspec.Struct, frozen=True, gc=False):
    """What a wire does to segments; probabilities 0..1."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """This part of the segments is held back by `reorder_us`, so that later ones overtake it."""
    delay_us: int = 5_000
    """The least time a segment is under way."""
    jitter_us: int = 0
    """Up to so much more, drawn for each segment: a second cause of reordering."""
    reorder_us: int = 20_000


PERFECT = Faults()


class Link:
    """Draws the fate of one segment after another."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._random = Random(seed)

    def arrivals_us(self, now_us: int) -> tuple[int, ...]:
        """When a segment sent now comes out: no time when it is lost, two times when it is duplicated."""
        faults, draw = self._faults, self._random.random
        if draw() < faults.loss:
            return ()
        copies = 2 if draw() < faults.duplicate else 1
        return tuple(now_us + self._delay_us() for _ in range(copies))

    def _delay_us(self) -> int:
        faults = self._faults
        held_us = faults.reorder_us if self._random.random() < faults.reorder else 0
        jitter_us = self._random.randrange(faults.jitter_us + 1)
        return min(faults.delay_us + held_us + jitter_us, DELAY_US_MAX)
