"""Which segments a wire loses: models as small records, each with a memory of its own while it runs.

Owns the models. A model is passed the time at which a segment passes and whether it is a pure ACK; it never
looks into the segment.

Source: Gilbert 1960, Elliott 1963 (bursts); tc-netem(8).
"""

from collections.abc import Callable
from random import Random

import msgspec

Loses = Callable[[int, bool], bool]
"""(now_us, is_ack): whether this segment is lost."""


class RandomLoss(msgspec.Struct, frozen=True):
    """Each segment by itself."""

    probability: float

    def process(self, random: Random) -> Loses:
        """The model at work."""
        draw, probability = random.random, self.probability
        return lambda _now_us, _is_ack: draw() < probability


class BurstLoss(msgspec.Struct, frozen=True):
    """Gilbert-Elliott: a good state that loses nothing, and a bad one."""

    enters: float
    """Probability, at each segment, that the bad state begins."""
    leaves: float
    """Probability, at each segment, that it ends: bursts are 1 / leaves segments long on average."""
    loss: float = 1.0
    """Of segments in the bad state."""

    @property
    def mean(self) -> float:
        """The part of all segments that is lost in the long run."""
        return self.loss * self.enters / (self.enters + self.leaves)

    def process(self, random: Random) -> Loses:
        """The model at work."""
        draw, is_bad = random.random, False

        def loses(_now_us: int, _is_ack: bool) -> bool:
            nonlocal is_bad
            is_bad = draw() >= self.leaves if is_bad else draw() < self.enters
            return is_bad and draw() < self.loss

        return loses


class DropExactly(msgspec.Struct, frozen=True):
    """These, counted among the segments that are not pure ACKs, from 0 (the SYN)."""

    first: int
    count: int = 1

    def process(self, _random: Random) -> Loses:
        """The model at work."""
        position = -1

        def loses(_now_us: int, is_ack: bool) -> bool:
            nonlocal position
            position += not is_ack
            return not is_ack and self.first <= position < self.first + self.count

        return loses


class AckLoss(msgspec.Struct, frozen=True):
    """Pure ACKs, each by itself; nothing else."""

    probability: float

    def process(self, random: Random) -> Loses:
        """The model at work."""
        draw, probability = random.random, self.probability
        return lambda _now_us, is_ack: is_ack and draw() < probability


class Blackout(msgspec.Struct, frozen=True):
    """Everything between two times."""

    from_us: int
    until_us: int

    def process(self, _random: Random) -> Loses:
        """The model at work."""
        return lambda now_us, _is_ack: self.from_us <= now_us < self.until_us


LossModel = RandomLoss | BurstLoss | DropExactly | AckLoss | Blackout
