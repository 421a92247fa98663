"""Mutex, channel and transactions: operations a second, beside asyncio's and trio's.

    mutex     two threads that take a lock in turn, yielding while they hold it
    channel   a thread that sends integers to another through a buffer of 64
    stm       a thread that adds to a shared variable in a transaction (ours alone)

CPU time of one operation, in a process of its own, by interleaved rounds.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.threads.calls import sys_yield
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.sync import Channel, Mutex, Transaction, TVar, atomically
from gossamer.loadtest.experiments.child import measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Column, Result, Values, goal
from gossamer.loadtest.experiments.extras import require_trio
from gossamer.loadtest.experiments.rounds import Key, Pace, interleaved, points_of, ratios

BUFFER: Final = 64
AXES: Final = Axes(
    "Operations between threads",
    "",
    (
        Column("mutex us", "CPU us a lock"),
        Column("channel us", "CPU us a value"),
        Column("stm us", "CPU us a transaction", is_drawn=False),
    ),
)


def _timed(count: int, function: Callable[[], Any]) -> float:
    before_ns = time.process_time_ns()
    function()
    return (time.process_time_ns() - before_ns) / 1000 / count


def _ours(*coroutines: Any) -> None:
    scheduler = Scheduler(EpollWaiter())
    for coroutine in coroutines:
        scheduler.spawn(coroutine)
    scheduler.run()


def gossamer(count: int) -> dict[str, float]:
    """Ours."""
    mutex = Mutex()

    async def locks() -> None:
        for _ in range(count // 2):
            async with mutex:
                await sys_yield()

    channel: Channel[int] = Channel(BUFFER)

    async def sends() -> None:
        for value in range(count):
            await channel.send(value)
        channel.close()

    async def receives() -> None:
        async for _ in channel:
            pass

    total = TVar(0)

    def add(tx: Transaction) -> None:
        tx.write(total, tx.read(total) + 1)

    async def transacts() -> None:
        for _ in range(count):
            await atomically(add)

    return {
        "mutex us": _timed(count, lambda: _ours(locks(), locks())),
        "channel us": _timed(count, lambda: _ours(sends(), receives())),
        "stm us": _timed(count, lambda: _ours(transacts())),
    }


def asyncio_sync(count: int) -> dict[str, float]:
    """asyncio's Lock and Queue."""

    async def locking() -> None:
        """Two that take a lock in turn."""
        lock = asyncio.Lock()

        async def locks() -> None:
            for _ in range(count // 2):
                async with lock:
                    await asyncio.sleep(0)

        await asyncio.gather(locks(), locks())

    async def queueing() -> None:
        """One that sends, one that receives."""
        queue: asyncio.Queue[int] = asyncio.Queue(BUFFER)

        async def sends() -> None:
            for value in range(count):
                await queue.put(value)

        async def receives() -> None:
            for _ in range(count):
                await queue.get()

        await asyncio.gather(sends(), receives())

    return {
        "mutex us": _timed(count, lambda: asyncio.run(locking())),
        "channel us": _timed(count, lambda: asyncio.run(queueing())),
    }


def trio_sync(count: int) -> dict[str, float]:
    """trio's Lock and memory channel."""
    import trio

    async def locking() -> None:
        """Two that take a lock in turn."""
        lock = trio.Lock()

        async def locks() -> None:
            for _ in range(count // 2):
                async with lock:
                    await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(locks)
            nursery.start_soon(locks)

    async def channelling() -> None:
        """One that sends, one that receives."""
        sender, receiver = trio.open_memory_channel[int](BUFFER)

        async def sends() -> None:
            async with sender:
                for value in range(count):
                    await sender.send(value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sends)
            async for _ in receiver:
                pass

    return {
        "mutex us": _timed(count, lambda: trio.run(locking)),
        "channel us": _timed(count, lambda: trio.run(channelling)),
    }


SUBJECTS: Final = {"gossamer": gossamer, "asyncio": asyncio_sync, "trio": trio_sync}


def run(pace: Pace, count: int) -> Result:
    """Interleaved rounds of all three. Raises: CannotStartError, MeasurementFailed."""
    require_trio("sync")

    def take(key: Key) -> Values:
        values = measure_in_child("sync", SUBJECTS[key[0]].__name__, count=count)
        return {column: round(value, 3) for column, value in values.items()}

    rounds = interleaved(pace, [(name, None) for name in SUBJECTS], take)
    compared = {
        f"{what}: ours / {peer}'s": ratios(rounds, ("gossamer", None), (peer, None), f"{what} us")
        for what in ("mutex", "channel")
        for peer in ("asyncio", "trio")
    }
    goals = [goal(name, found, 1.0, "x") for name, found in compared.items() if found]
    return Result("sync", AXES, points_of(rounds), goals, pace.notes)
