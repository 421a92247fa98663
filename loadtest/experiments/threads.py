"""What a thread costs: memory, creation and switch, up to ten million of them, each looping on yield.

    gossamer bench threads --count 10000000

Memory is the growth of a fresh process's resident set by `count` threads that have all run once and wait for
their next turn; a switch is one turn of one thread, out of it and back into it. Times are CPU time. The cycle
collector is off while threads are made, in every library alike.

Source: Li and Zdancewic, PLDI 2007, section 5.1 (10 million threads looping on sys_yield).
"""

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Final

import psutil

from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.threads.calls import sys_yield
from gossamer.core.threads.scheduler import Scheduler
from gossamer.loadtest.experiments.child import MeasurementFailed, measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Column, Goal, Point, Result, Values, goal
from gossamer.loadtest.experiments.extras import require_trio
from gossamer.loadtest.experiments.rounds import Key, Pace, interleaved, points_of

BYTES_MAX: Final = 500
SWITCH_US_MAX: Final = 1.0
PEERS: Final = {"asyncio": 1_000_000, "trio": 100_000, "os threads": 4_000}
"""How many of each are tried at most."""
STEPS: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
ROUNDS: Final = 3
"""Turns of each thread that are timed."""

AXES: Final = Axes(
    "Threads looping on yield",
    "threads",
    (
        Column("bytes a thread", "bytes a thread"),
        Column("create us", "CPU us to create"),
        Column("switch us", "CPU us a switch"),
    ),
)


class ThreadMeter:
    """Takes the memory and the CPU time of this process at the moments that matter."""

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._process = psutil.Process()
        self._before_bytes = self._process.memory_info().rss
        self._before_ns = time.process_time_ns()
        self.create_us = 0.0
        self.grown_bytes = 0

    def created(self) -> None:
        """All threads are there and have run once."""
        self.create_us = (time.process_time_ns() - self._before_ns) / 1000
        self.grown_bytes = self._process.memory_info().rss - self._before_bytes
        self._before_ns = time.process_time_ns()

    def answer(self, count: int) -> dict[str, float]:
        """Each thread has run ROUNDS times more."""
        switch_us = (time.process_time_ns() - self._before_ns) / 1000
        return {
            "bytes a thread": round(self.grown_bytes / count, 1),
            "create us": round(self.create_us / count, 3),
            "switch us": round(switch_us / count / ROUNDS, 3),
        }


def gossamer(count: int) -> dict[str, float]:
    """Threads of ours."""
    scheduler = Scheduler(EpollWaiter())

    async def loops() -> None:
        while True:
            await sys_yield()

    async def stops_after(rounds: int) -> None:
        for _ in range(rounds):
            await sys_yield()
        scheduler.stop()

    meter = ThreadMeter()
    for _ in range(count):
        scheduler.spawn(loops())
    scheduler.spawn(stops_after(0))
    scheduler.run()
    meter.created()
    scheduler.spawn(stops_after(ROUNDS - 1))
    scheduler.run()
    return meter.answer(count)


def asyncio_tasks(count: int) -> dict[str, float]:
    """Tasks of asyncio."""

    async def loops() -> None:
        while True:
            await asyncio.sleep(0)

    async def main() -> dict[str, float]:
        """Create them, and switch ROUNDS times among all."""
        meter = ThreadMeter()
        tasks = [asyncio.create_task(loops()) for _ in range(count)]
        await asyncio.sleep(0)
        meter.created()
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        found = meter.answer(count)
        for task in tasks:
            task.cancel()
        return found

    return asyncio.run(main())


def trio_tasks(count: int) -> dict[str, float]:
    """Tasks of trio."""
    import trio

    async def loops() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async def main() -> dict[str, float]:
        """Create them, and switch ROUNDS times among all."""
        meter = ThreadMeter()
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(loops)
            await trio.lowlevel.checkpoint()
            meter.created()
            for _ in range(ROUNDS):
                await trio.lowlevel.checkpoint()
            found = meter.answer(count)
            nursery.cancel_scope.cancel()
        return found

    return trio.run(main)


def os_threads(count: int) -> dict[str, float]:
    """Threads of the operating system, which take turns at the interpreter's lock."""
    begun, go, done = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    def loops() -> None:
        begun.release()
        go.wait()
        for _ in range(ROUNDS):
            time.sleep(0)
        done.release()

    meter = ThreadMeter()
    threads = [threading.Thread(target=loops, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in range(count):
        begun.acquire()
    meter.created()
    go.set()
    for _ in range(count):
        done.acquire()
    return meter.answer(count)


SUBJECTS: Final[dict[str, Callable[[int], dict[str, float]]]] = {
    "gossamer": gossamer,
    "asyncio": asyncio_tasks,
    "trio": trio_tasks,
    "os threads": os_threads,
}


def memory_allows(count: int) -> bool:
    """Whether the machine has the memory for so many threads of ours, and some to spare."""
    return bool(psutil.virtual_memory().available > count * (BYTES_MAX + 150))


def run(pace: Pace, count: int, *, is_quick: bool = False) -> Result:
    """Ours up to `count`, the others as far as they go. Raises: CannotStartError, MeasurementFailed."""
    require_trio("threads")
    steps = [*(step for step in STEPS if step < count), count][-2 if is_quick else 0 :]
    keys: list[Key] = [
        (name, step)
        for step in steps
        for name in SUBJECTS
        if step <= PEERS.get(name, count) and memory_allows(step)
    ]
    if not memory_allows(count):
        pace.note(f"{count:,} threads: this machine has not the memory for them just now")

    def take(key: Key) -> Values:
        found: Values = measure_in_child("threads", SUBJECTS[key[0]].__name__, count=key[1])
        return found

    points = points_of(interleaved(pace, keys, take))
    ours = [point for point in points if point.series == "gossamer"]
    if not ours:
        raise MeasurementFailed("; ".join(pace.notes))
    return Result("threads", AXES, points, goals_of(ours), pace.notes, figures_of(ours))


def most_of(ours: list[Point]) -> tuple[Point, int]:
    """The point of the most threads, and how many they are."""
    counts = {int(point.x): point for point in ours if isinstance(point.x, int | float)}
    return counts[max(counts)], max(counts)


def goals_of(ours: list[Point]) -> list[Goal]:
    """Of the most threads, and of a switch where it is cheapest."""
    last, count = most_of(ours)
    cheapest = min(ours, key=lambda point: point.figures["switch us"].median)
    return [
        goal(f"memory of each of {count:,} threads", samples(last, "bytes a thread"), BYTES_MAX, "bytes"),
        goal(
            "a switch, at the count where it is cheapest", samples(cheapest, "switch us"), SWITCH_US_MAX, "us"
        ),
        goal(f"a switch among {count:,} threads", samples(last, "switch us"), SWITCH_US_MAX, "us"),
    ]


def samples(point: Point, column: str) -> list[float]:
    """What its rounds found."""
    return [values[column] for values in point.rounds if values]


def figures_of(ours: list[Point]) -> dict[str, float]:
    """What programs look for."""
    last, count = most_of(ours)
    bytes_each, switch_us = (last.figures[name].median for name in ("bytes a thread", "switch us"))
    return {"count": count, "bytes_per_thread": bytes_each, "switch_us": switch_us}
