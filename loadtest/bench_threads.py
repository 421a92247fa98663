"""What a thread costs: memory while it is blocked, time to create one, time to switch.

    python -m gossamer.loadtest.bench_threads --count 1000000 --json

Owns the measurement only. Memory is the growth of the process's resident set while `count` threads block in
`sys_sleep`, divided by their number; a switch is one `sys_yield` of one of a thousand threads: out of it,
through the ready queue, and back. Times are CPU time of the process."""

import gc
import json
import time
from typing import Final

import click
import msgspec
import psutil

from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_sleep, sys_yield
from gossamer.core.threads.scheduler import Scheduler

BLOCKED_US: Final = 3_600_000_000
"""Longer than any measurement."""

SWITCHING_THREADS: Final = 1000
SWITCHES_EACH: Final = 200


class ThreadCost(msgspec.Struct, frozen=True):
    """What was measured."""

    count: int
    bytes_per_thread: float
    create_us: float
    switch_us: float


async def blocked() -> None:
    """A thread that does nothing but wait."""
    await sys_sleep(BLOCKED_US)


async def switching(times: int) -> None:
    """A thread that goes to the back of the queue again and again."""
    for _ in range(times):
        await sys_yield()


async def spawn_blocked(scheduler: Scheduler, count: int) -> None:
    """Start `count` threads, and stop the scheduler once all of them are blocked."""
    for number in range(count):
        scheduler.spawn(blocked())
        if number % 256 == 255:
            await sys_yield()
    while scheduler.statistics()["ready"]:
        await sys_yield()
    scheduler.stop()


def measure_blocked(count: int) -> tuple[float, float]:
    """Bytes per blocked thread, and microseconds to create one and have it block."""
    scheduler = Scheduler(EpollWaiter(), [SleepLoop()])
    process = psutil.Process()
    gc.collect()
    gc.freeze()
    before_bytes, before_ns = process.memory_info().rss, time.process_time_ns()
    scheduler.spawn(spawn_blocked(scheduler, count))
    scheduler.run()
    elapsed_ns, grown_bytes = time.process_time_ns() - before_ns, process.memory_info().rss - before_bytes
    scheduler.close()
    return grown_bytes / count, elapsed_ns / 1000 / count


def measure_switch() -> float:
    """Microseconds of a switch."""
    scheduler = Scheduler(EpollWaiter())
    for _ in range(SWITCHING_THREADS):
        scheduler.spawn(switching(SWITCHES_EACH))
    before_ns = time.process_time_ns()
    scheduler.run()
    return (time.process_time_ns() - before_ns) / 1000 / (SWITCHING_THREADS * SWITCHES_EACH)


def measure(count: int) -> ThreadCost:
    """All of it. The switch is measured first, in a heap that is still small."""
    switch_us = measure_switch()
    bytes_per_thread, create_us = measure_blocked(count)
    return ThreadCost(count, round(bytes_per_thread, 1), round(create_us, 3), round(switch_us, 3))


@click.command()
@click.option(
    "--count", default=1_000_000, show_default=True, type=click.IntRange(min=1), help="Blocked threads."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(count: int, as_json: bool) -> None:
    """Measure what a thread costs."""
    cost = measure(count)
    if as_json:
        click.echo(json.dumps(msgspec.structs.asdict(cost)))
    else:
        click.echo(f"{cost.count:,} threads blocked: {cost.bytes_per_thread} bytes each")
        click.echo(f"create and block {cost.create_us} us, switch {cost.switch_us} us (CPU time)")


if __name__ == "__main__":
    main()
