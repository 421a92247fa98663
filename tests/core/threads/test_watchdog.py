"""A thread that holds the loop is named while it does."""

import time
from collections.abc import Callable

import pytest

from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.watchdog import Holds, Watchdog


def reports_of(hold: Callable[[list[str]], object]) -> list[str]:
    """What the watchdog says of a thread that does not yield while `hold` runs."""
    scheduler = Scheduler(EpollWaiter(), [SleepLoop()])
    reports: list[str] = []

    async def hog() -> None:
        await sys_sleep(1_000)
        hold(reports)

    async def polite() -> None:
        for _ in range(20):
            await sys_sleep(1_000)

    watchdog = Watchdog(scheduler, held_us_max=20_000, report=reports.append)
    scheduler.spawn(polite())
    scheduler.spawn(hog(), "the hog")
    scheduler.run()
    watchdog.close()
    watchdog.close()
    scheduler.close()
    return reports


def spin(reports: list[str]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and not reports:
        pass


def sleep_on(reports: list[str]) -> None:
    for _ in range(1000):
        if reports:
            return
        time.sleep(0.01)


def keep_the_lock(_reports: list[str]) -> None:
    sum(range(20_000_000))


@pytest.mark.parametrize("hold", [spin, sleep_on, keep_the_lock])
def test_watchdog__thread_holds_the_loop__is_named_once_with_its_line(
    hold: Callable[[list[str]], object],
) -> None:
    (message,) = reports_of(hold)
    assert message.startswith("<Thread the hog> holds the loop for more than 20 ms")
    assert "in hog" in message
    assert f"in {hold.__name__}" in message
    assert "scheduler.py" not in message


def test_watchdog__two_holds_in_a_row__both_are_reported() -> None:
    scheduler = Scheduler(EpollWaiter(), [SleepLoop()])
    reports: list[str] = []

    async def hog() -> None:
        for count in (1, 2):
            until = time.monotonic() + 10
            while time.monotonic() < until and len(reports) < count:
                pass
            await sys_sleep(1_000)

    watchdog = Watchdog(scheduler, held_us_max=20_000, report=reports.append)
    scheduler.spawn(hog())
    scheduler.run()
    watchdog.close()
    scheduler.close()
    assert len(reports) == 2


def test_watchdog__threads_that_wait__nothing_is_said() -> None:
    assert reports_of(lambda _reports: None) == []


def looked(*looks: tuple[int, object]) -> list[int]:
    """When a thread is named, of looks in one turn that began at 0, each in time; the limit is 100."""
    holds = Holds(held_us_max=100)
    return [at for at, found in looks if holds.look(at, at, found, turn_us=0)]


def test_holds__seen_twice__named_when_the_turn_has_lasted_the_limit() -> None:
    assert looked((10, "hog"), (99, "hog")) == []
    assert looked((10, "hog"), (100, "hog")) == [100]


def test_holds__seen_for_less_than_a_quarter__another_thread_may_have_held_the_turn() -> None:
    assert looked((150, "hog"), (174, "hog")) == []
    assert looked((150, "hog"), (175, "hog")) == [175]


def test_holds__named__not_again_before_another_hold() -> None:
    assert looked((0, "hog"), (100, "hog"), (200, "hog"), (300, "hog")) == [100]
    assert looked((0, "hog"), (100, "hog"), (200, None), (300, "hog"), (400, "hog")) == [100, 400]


def test_holds__another_thread_each_time__nobody_is_named() -> None:
    assert looked((0, "ann"), (100, "bob"), (200, "ann")) == []


def test_holds__next_look__when_it_could_be_named() -> None:
    holds = Holds(held_us_max=100)
    holds.look(0, 0, None, turn_us=0)
    assert holds.wait_us == 100
    holds.look(110, 110, "hog", turn_us=100)
    assert holds.wait_us == 90
    assert holds.look(200, 200, "hog", turn_us=100)
    assert holds.wait_us == 100
    holds.look(300, 300, "other", turn_us=200)
    assert holds.wait_us == 25


def test_holds__hold_of_the_limit_and_a_quarter__is_named_whenever_it_begins() -> None:
    for begin_us in range(100, 200):
        holds, now_us, named = Holds(held_us_max=100), 0, []
        while now_us < 1000:
            is_held = begin_us <= now_us <= begin_us + 125
            if holds.look(now_us, now_us, "hog" if is_held else None, turn_us=begin_us):
                named.append(now_us)
            now_us += holds.wait_us
        assert len(named) == 1, begin_us


def test_holds__look_is_late_by_the_limit__what_runs_kept_the_lock() -> None:
    assert Holds(held_us_max=100).look(50, 150, "hog", turn_us=0)
    assert not Holds(held_us_max=100).look(50, 149, "hog", turn_us=0)
    assert not Holds(held_us_max=100).look(50, 150, "hog", turn_us=60), "another turn ran meanwhile"
