"""Sleeps end in order, never early, at most one tick late."""

import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US, SECOND_US, VirtualClock, monotonic_us
from gossamer.core.errors import GossamerError
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import RESOLUTION_US, SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_fork, sys_sleep
from gossamer.core.threads.cancel import move_on_after
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


def test_sleep__after_a_long_computation__counts_from_the_call() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
    slept_us = []

    async def sleeper() -> None:
        clock.advance(5_000)
        started_us = clock()
        await sys_sleep(1_000)
        slept_us.append(clock() - started_us)

    scheduler.spawn(sleeper())
    scheduler.run()
    assert slept_us == [1_000]


def test_move_on_after__after_a_long_computation__counts_from_the_call() -> None:
    clock = VirtualClock()
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)
    slept_us = []

    async def sleeper() -> None:
        clock.advance(5_000)
        started_us = clock()
        with move_on_after(0.002):
            await sys_sleep(SECOND_US)
        slept_us.append(clock() - started_us)

    scheduler.spawn(sleeper())
    scheduler.run()
    assert 2_000 <= slept_us[0] <= 3_000


def lateness_us(waiter: EpollWaiter, sleeps: int = 200) -> list[int]:
    """How late each of some sleeps ended, on the machine's clock."""
    late_us: list[int] = []

    async def sleeper(number: int) -> None:
        asked_us = 1_000 + 37 * number
        started_ns = time.perf_counter_ns()
        await sys_sleep(asked_us)
        late_us.append((time.perf_counter_ns() - started_ns) // 1000 - asked_us)

    async def one_after_another() -> None:
        for number in range(sleeps):
            await sleeper(number % 50)

    scheduler = Scheduler(waiter, [SleepLoop()], monotonic_us)
    scheduler.spawn(one_after_another())
    scheduler.run()
    scheduler.close()
    waiter.close()
    return late_us


def test_real_clock__never_early_and_mostly_within_a_fifth_of_a_millisecond() -> None:
    late_us = lateness_us(EpollWaiter())
    assert min(late_us) >= 0
    # On a quiet machine all are; others may use this one meanwhile.
    assert statistics.quantiles(late_us, n=4)[0] <= 200, sorted(late_us)


def test_timers_refused__real_clock__never_early_and_a_millisecond_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise OSError(38, "refused")

    monkeypatch.setattr("gossamer.core.loop.epoll.Timer", refuse)
    late_us = lateness_us(EpollWaiter(), sleeps=20)
    assert min(late_us) >= 0
    assert statistics.median(late_us) < 5_000


def test_real_clock__a_thousand_sleepers_and_one_busy_thread__none_early() -> None:
    early_us: list[int] = []

    async def sleeper(asked_us: int) -> None:
        started_ns = time.perf_counter_ns()
        await sys_sleep(asked_us)
        early_us.append(asked_us - (time.perf_counter_ns() - started_ns) // 1000)

    async def busy() -> None:
        for number in range(1_000):
            until_ns = time.perf_counter_ns() + 50_000
            while time.perf_counter_ns() < until_ns:
                pass
            await sys_fork(sleeper(1_000 + number % 7 * 333))

    scheduler = Scheduler(waiter := EpollWaiter(), [SleepLoop()], monotonic_us)
    scheduler.spawn(busy())
    scheduler.run()
    scheduler.close()
    waiter.close()
    assert len(early_us) == 1_000
    assert max(early_us) <= 0
