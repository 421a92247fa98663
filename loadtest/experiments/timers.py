"""A million pending timers: what it costs to arm one and to cancel it, beside asyncio's.

Deadlines are drawn from an hour, as those of a server's connections are; each timer is cancelled before it is
due, as nearly all of a server's are. CPU time, in a process of its own.
"""

import asyncio
import time
from random import Random
from statistics import median
from typing import Any, Final

from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.loadtest.experiments.child import measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Goal, Point, Result, Say

SPAN_US: Final = 3_600_000_000
EACH_US_MAX: Final = 1.0
AXES: Final = Axes(
    "Pending timers", "timers", (("arm us", "CPU us to arm"), ("cancel us", "CPU us to cancel"))
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
        loop = asyncio.get_running_loop()
        now = loop.time() + 60
        start_ns = time.process_time_ns()
        handles = [loop.call_at(now + at, print) for at in deadlines]
        armed_ns = time.process_time_ns()
        for handle in handles:
            handle.cancel()
        return _answer(count, start_ns, armed_ns, time.process_time_ns())

    return asyncio.run(main())


def run(say: Say, count: int, rounds: int) -> Result:
    """Interleaved rounds of both, at a tenth of `count` and at `count`."""
    points = []
    for step in (count // 10, count):
        for name, subject in {"gossamer": gossamer, "asyncio": asyncio_timers}.items():
            say(f"{step:,} timers: {name}")
            rows = [measure_in_child("timers", subject.__name__, count=step) for _ in range(rounds)]
            values = {key: median(row[key] for row in rows) for key in rows[0]}
            points.append(Point(name, step, values))
    ours = next(p for p in points if p.series == "gossamer" and p.x == count)
    average = (ours.values["arm us"] + ours.values["cancel us"]) / 2
    goals = [Goal(f"arm and cancel, on average, of {count:,}", round(average, 3), EACH_US_MAX, "us")]
    return Result("timers", AXES, points, goals)
