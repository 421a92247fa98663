"""The points of a time-sequence graph, and those that are kept of one for whoever looks. Pure.

Owns the form of a point. It needs nothing of the TCP that is drawn (`shards.seen.trace`).
"""

from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

POINTS_MAX: Final = 4000
"""Kept of one connection; the oldest go."""
POINTS_BURST_MAX: Final = 500
"""Told by a worker in a tenth of a second; more are counted and lost."""
RECORD_BYTES_MAX: Final = 1 << 16


class PointKind(IntEnum):
    """What a point says."""

    SENT = 0
    SENT_AGAIN = 1
    ACKED = 2
    """The peer's acknowledgement, the window that it offers, our congestion window."""
    RECEIVED = 3
    ACKS = 4
    """Our acknowledgement, and the window that we offer."""


class TracePoint(msgspec.Struct, frozen=True, array_like=True):
    """One point."""

    at_us: int
    """Of the clock that all processes of the machine have."""
    kind: PointKind
    place: int
    """Where in the text of its direction, whose first octet is 0; modulo 2^32."""
    length: int
    """Octets of text, or the window."""
    cwnd_bytes: int = 0


class TraceRecord(msgspec.Struct, frozen=True, array_like=True):
    """What one step of a connection has moved."""

    worker: int
    points: tuple[TracePoint, ...]
    lost_total: int
    """How many before it found no room."""


class TracePage(msgspec.Struct, frozen=True):
    """What whoever looks has not seen yet."""

    worker: int
    peer: str
    now_us: int
    next: int
    """What to ask for next time."""
    points: list[TracePoint]
    lost_total: int
    is_over: bool
    """Whether its worker tells no more."""


class KeptPoints:
    """The last points. Bounds: POINTS_MAX."""

    def __init__(self) -> None:
        self._points: deque[TracePoint] = deque(maxlen=POINTS_MAX)
        self._total = 0
        self.lost_total = 0

    def add(self, record: TraceRecord) -> None:
        """Keep what came."""
        self._points.extend(record.points)
        self._total += len(record.points)
        self.lost_total = record.lost_total

    @property
    def next(self) -> int:
        """The number of the next point."""
        return self._total

    def since(self, number: int) -> Sequence[TracePoint]:
        """Those from that number on which are kept."""
        fresh = min(max(0, self._total - number), len(self._points))
        return list(self._points)[len(self._points) - fresh :]
