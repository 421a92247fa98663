"""One direction of a wire: when, and how often, each segment comes out.

Owns the line (how much it carries, how much waits before it) and the faults, with the seeded generator that
draws them. It never looks into a segment: the caller passes its size, and whether it is a pure ACK.

A segment waits in a drop-tail queue, is transmitted at the line's rate, and is then lost, delayed or doubled.
The queue needs no events: what waits is the time until the line is free, times its rate.

Source: the fault models of tc-netem(8).
"""

from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.sim.loss import Loses, LossModel

DELAY_US_MAX: Final = 10 * SECOND_US
BIT_NS: Final = 8 * 1_000_000_000
"""Nanoseconds that a byte takes at one bit a second."""


NEVER_BYTES: Final = 1 << 61
"""More than ever waits."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """What a line carries."""

    rate_bps: int = 0
    """Bits a second, headers of IP and TCP counted; 0: as much as comes."""
    queue_bytes: int = NEVER_BYTES
    """What may wait for transmission, or be in it; a segment that finds no room is dropped."""
    mtu_changes: tuple[tuple[int, int], ...] = ()
    """(from when, bytes): the largest packet that passes, ascending in time; without any, all pass."""
    mark_bytes: int = NEVER_BYTES
    """When more than this waits, ECN-capable segments are marked CE (RFC 3168 5)."""
    tells_mtu: bool = True
    """Whether an ICMP error reports a packet that was too big (RFC 1191), or it just vanishes."""


class Faults(msgspec.Struct, frozen=True, gc=False):
    """What a wire does to segments; probabilities 0..1."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """This part of the segments is held back by `reorder_us`, so that later ones overtake it."""
    delay_us: int = 5_000
    """The least time a segment is under way."""
    jitter_us: int = 0
    """Up to this much more, drawn for each segment: a second cause of reordering."""
    reorder_us: int = 20_000
    corrupt: float = 0.0
    """This part of the segments comes out with a wrong bit, which the checksum shows."""
    models: tuple[LossModel, ...] = ()
    """What is lost beside `loss`."""


PLAIN = Line()
PERFECT = Faults()


class LinkCounts(msgspec.Struct, gc=False):
    """What became of the segments."""

    sent: int = 0
    sent_bytes: int = 0
    lost: int = 0
    """By the faults, not by the queue."""
    overflowed: int = 0
    """Found no room in the queue."""
    marked: int = 0
    """With CE."""
    corrupted: int = 0
    duplicated: int = 0
    reordered: int = 0
    too_big: int = 0
    queue_bytes_max: int = 0


class Link:
    """Draws the fate of one segment after another."""

    def __init__(self, faults: Faults, seed: int, line: Line = PLAIN) -> None:
        self.counts: LinkCounts = LinkCounts()
        self.delay_us: int = faults.delay_us
        self.has_noise: bool = faults.corrupt > 0
        self._faults = faults
        self.line = line
        self._rate_bps = line.rate_bps
        self._queue_bytes = line.queue_bytes
        self._random = Random(seed)
        self._losses = _processes(faults, seed)
        self._is_faultless = not (
            self._losses or faults.loss or faults.duplicate or faults.reorder or faults.jitter_us
        )
        self._free_ns = 0

    def arrivals_us(self, now_us: int, size_bytes: int = 0, is_ack: bool = False) -> tuple[int, ...]:
        """When a segment sent now comes out: no time when it is lost, two times when it is duplicated."""
        counts, rate_bps = self.counts, self._rate_bps
        counts.sent += 1
        counts.sent_bytes += size_bytes
        if rate_bps:
            now_ns, free_ns = now_us * 1000, self._free_ns
            if free_ns < now_ns:
                free_ns = now_ns
            waiting_bytes = (free_ns - now_ns) * rate_bps // BIT_NS + size_bytes
            if waiting_bytes > self._queue_bytes:
                counts.overflowed += 1
                return ()
            if waiting_bytes > counts.queue_bytes_max:
                counts.queue_bytes_max = waiting_bytes
            self._free_ns = free_ns = free_ns + size_bytes * BIT_NS // rate_bps
            # When the last bit of it is on the line.
            now_us = -(-free_ns // 1000)
        if self._is_faultless:
            return (now_us + self.delay_us,)
        return self._faulty(now_us, is_ack)

    def marks(self, now_us: int) -> bool:
        """Whether an ECN-capable segment that now went into the queue is marked."""
        if self.waiting_bytes(now_us) <= self.line.mark_bytes:
            return False
        self.counts.marked += 1
        return True

    def spoils(self) -> bool:
        """Whether the segment that now comes out has a wrong bit."""
        if not self.has_noise or self._random.random() >= self._faults.corrupt:
            return False
        self.counts.corrupted += 1
        return True

    def mtu_bytes(self, now_us: int) -> int:
        """The largest packet that passes, 0 when all do."""
        mtu_bytes = 0
        for from_us, size_bytes in self.line.mtu_changes:
            if from_us <= now_us:
                mtu_bytes = size_bytes
        return mtu_bytes

    def waiting_bytes(self, now_us: int) -> int:
        """What is in the queue, and in transmission."""
        return max(self._free_ns - now_us * 1000, 0) * self.line.rate_bps // BIT_NS

    def _faulty(self, leaves_us: int, is_ack: bool) -> tuple[int, ...]:
        faults, draw = self._faults, self._random.random
        lost = draw() < faults.loss
        for loses in self._losses:
            # Every model sees every segment, whatever the others say.
            lost = loses(leaves_us, is_ack) or lost
        if lost:
            self.counts.lost += 1
            return ()
        if draw() < faults.duplicate:
            self.counts.duplicated += 1
            return leaves_us + self._delay_us(), leaves_us + self._delay_us()
        return (leaves_us + self._delay_us(),)

    def _delay_us(self) -> int:
        faults = self._faults
        delay_us = faults.delay_us
        if self._random.random() < faults.reorder:
            self.counts.reordered += 1
            delay_us += faults.reorder_us
        return min(delay_us + self._random.randrange(faults.jitter_us + 1), DELAY_US_MAX)


class ScriptedLink(Link):
    """One that a function says the fates of: it is called as `arrivals_us`."""

    def __init__(self, script: Callable[[int, int, bool], tuple[int, ...]]) -> None:
        super().__init__(PERFECT, 0)
        self._script = script

    def arrivals_us(self, now_us: int, size_bytes: int = 0, is_ack: bool = False) -> tuple[int, ...]:
        """When a segment sent now comes out."""
        return self._script(now_us, size_bytes, is_ack)


def _processes(faults: Faults, seed: int) -> tuple[Loses, ...]:
    """Each model with a generator of its own, so that one does not change what another draws."""
    return tuple(model.process(Random(f"{seed} {number}")) for number, model in enumerate(faults.models))
