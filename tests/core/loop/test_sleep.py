"""Sleeps end in order, never early, at most one tick late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US, VirtualClock
from gossamer.core.errors import GossamerError
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.deadlines import RESOLUTION_US
from gossamer.core.threads.scheduler import Scheduler


@given(st.lists(st.integers(-5, 10_000_000), max_size=30))
def test_any_sleeps__each_ends_on_time(sleeps_us: list[int]) -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
    started_us = clock()
    ends = []

    async def sleeper(us: int) -> None:
        await sys_sleep(us)
        ends.append((us, clock() - started_us))

    for us in sleeps_us:
        scheduler.spawn(sleeper(us))
    scheduler.run()
    assert len(ends) == len(sleeps_us)
    for asked_us, slept_us in ends:
        assert max(asked_us, 0) <= slept_us <= max(asked_us, 0) + RESOLUTION_US
    assert [slept for _, slept in ends] == sorted(slept for _, slept in ends)


def test_sleep_in_a_row__time_adds_up() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
    started_us = clock()

    async def sleeper() -> None:
        for _ in range(100):
            await sys_sleep(60_000_000)

    scheduler.spawn(sleeper())
    scheduler.run()
    assert clock() - started_us == 6_000_000_000


def test_close__sleepers_are_forgotten() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [loop := SleepLoop()], clock)

    async def sleeper() -> None:
        scheduler.stop()
        await sys_sleep(1)

    scheduler.spawn(sleeper())
    scheduler.run()
    assert loop.turn(clock()) < NEVER_US
    scheduler.close()
    assert loop.turn(clock()) == NEVER_US


def test_seconds_as_a_float__refused_in_the_thread() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)

    async def sleeper() -> None:
        with pytest.raises(GossamerError, match=r"us: found 0.5 \(float\), allowed is whole microseconds"):
            await sys_sleep(0.5)  # type: ignore[arg-type]  # what a user of seconds writes

    scheduler.spawn(sleeper())
    scheduler.run()
    assert scheduler.statistics()["thread_errors_total"] == 0
