"""A million pending timers: what it costs to arm one and to cancel it, beside asyncio's.

Deadlines are drawn from an hour, as those of a server's connections are; each timer is cancelled before it is
due, as nearly all of a server's are. CPU time, in a process of its own.
"""

import asyncio
import time
from random import Random
from typing import Any, Final

from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.loadtest.experiments.child import measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Column, Result, Values, goal
from gossamer.loadtest.experiments.rounds import Key, Pace, interleaved, points_of

SPAN_US: Final = 3_600_000_000
EACH_US_MAX: Final = 1.0
AXES: Final = Axes(
    "Pending timers", "timers", (Column("arm us", "CPU us to arm"), Column("cancel us", "CPU us to cancel"))
)


def _answer(count: int, start_ns: int, armed_ns: int, end_ns: int) -> dict[str, float]:
    return {
        "arm us": round((armed_ns - start_ns) / 1000 / count, 3),
        "cancel us": round((end_ns - armed_ns) / 1000 / count, 3),
    }


def gossamer(count: int) -> dict[str, float]:
    """The heap that every loop's timers stand in."""
    draw = Random(1).randrange
    deadlines = [draw(SPAN_US) for _ in range(count)]
    owners: list[Any] = [object() for _ in range(count)]
    heap: DeadlineHeap[Any] = DeadlineHeap()
    start_ns = time.process_time_ns()
    for at_us, owner in zip(deadlines, owners, strict=True):
        heap.push(at_us, owner)
    armed_ns = time.process_time_ns()
    for at_us, owner in zip(deadlines, owners, strict=True):
        heap.discard(at_us, owner)
    end_ns = time.process_time_ns()
    assert len(heap) == 0
    return _answer(count, start_ns, armed_ns, end_ns)


def asyncio_timers(count: int) -> dict[str, float]:
    """`loop.call_at` and `TimerHandle.cancel`."""
    draw = Random(1).randrange
    deadlines = [draw(SPAN_US) / 1e6 for _ in range(count)]

    async def main() -> dict[str, float]:
        """Arm all, then cancel all."""
        loop = asyncio.get_running_loop()
        now = loop.time() + 60
        start_ns = time.process_time_ns()
        handles = [loop.call_at(now + at, print) for at in deadlines]
        armed_ns = time.process_time_ns()
        for handle in handles:
            handle.cancel()
        return _answer(count, start_ns, armed_ns, time.process_time_ns())

    return asyncio.run(main())


SUBJECTS: Final = {"gossamer": gossamer, "asyncio": asyncio_timers}


def run(pace: Pace, count: int) -> Result:
    """Interleaved rounds of both, at a tenth of `count` and at `count`. Raises: MeasurementFailed."""

    def take(key: Key) -> Values:
        found: Values = measure_in_child("timers", SUBJECTS[key[0]].__name__, count=key[1])
        return found

    rounds = interleaved(pace, [(name, step) for step in (count // 10, count) for name in SUBJECTS], take)
    ours = [found["gossamer", count] for found in rounds if ("gossamer", count) in found]
    averages = [round((values["arm us"] + values["cancel us"]) / 2, 4) for values in ours]
    goals = [goal(f"arm and cancel, on average, of {count:,}", averages, EACH_US_MAX, "us")] if ours else []
    return Result("timers", AXES, points_of(rounds), goals, pace.notes)
