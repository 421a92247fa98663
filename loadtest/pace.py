"""When the next request is sent: a pure decider.

    closed loop   as soon as a connection is free; a slow server is asked less
    open loop     request n is due when the arrivals say, n / rate after the start or at random, and any free
                  connection sends it; its latency counts from when it was due, so that those that waited for
                  a stalled server count in full (no coordinated omission). What was due before the end may
                  still be sent until the drain is over; what was not by then is known by number, and is told

Owns the numbering of requests and the bounds, count and time. It knows no connection and no clock.

Source: G. Tene, "How NOT to Measure Latency"; wrk2.
"""

from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.loadtest.arrivals import Arrivals

CALM_US: Final = 4_000
"""A machine that is asked less often than this rests in between."""
AWAKE_US: Final = 200
"""How long the processor of a machine at rest takes to wake, in a virtual one."""


class Shape(msgspec.Struct, frozen=True):
    """The bounds of a run, and when its requests come."""

    start_us: int
    end_us: int
    """Nothing is due from here on."""
    requests_max: int
    arrivals: Arrivals | None = None
    """None is a closed loop."""
    final_us: int = NEVER_US
    """Nothing is sent any more, and no answer counts, from here on."""


class SendSlot(msgspec.Struct, frozen=True, gc=False):
    """Leave to send one batch of requests: how many, and when the first was due."""

    number: int
    count: int
    due_us: int


def next_slot(shape: Shape, number: int, count_max: int, now_us: int) -> SendSlot | None:
    """Leave for the requests from `number` on, at most `count_max` of them; None when the run is over.

    In an open loop a batch holds only what is due by the time its first is sent.
    """
    count = min(count_max, shape.requests_max - number)
    if count <= 0 or now_us >= shape.final_us:
        return None
    if shape.arrivals is None:
        return SendSlot(number, count, now_us) if now_us < shape.end_us else None
    due_us = due_at_us(shape, number)
    if due_us >= shape.end_us:
        return None
    while count > 1 and not is_due_by(shape, number + count - 1, max(now_us, due_us)):
        count -= 1
    return SendSlot(number, count, due_us)


def is_due_by(shape: Shape, number: int, now_us: int) -> bool:
    """Whether request `number` of an open loop is due by then, and in time."""
    due_us = due_at_us(shape, number)
    return due_us <= now_us and due_us < shape.end_us


def due_at_us(shape: Shape, number: int) -> int:
    """When request `number` of an open loop is due."""
    assert shape.arrivals is not None
    return shape.start_us + shape.arrivals.offset_us(number)


def due_total(shape: Shape, now_us: int) -> int:
    """How many requests of an open loop are due by `now_us`."""
    assert shape.arrivals is not None
    until_us = min(now_us, shape.end_us - 1)
    return min(shape.arrivals.count_by(until_us - shape.start_us), shape.requests_max)


def awake_before_us(gap_us: int, awake_us: int) -> int:
    """How long before a request is due its sender is awake, where the one before it was due `gap_us` earlier,
    and a machine at rest takes `awake_us` to wake: the request would leave late by that.
    """
    return awake_us if gap_us > CALM_US else 0
