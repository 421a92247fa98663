"""A thread that holds the loop is named while it does."""

import time

from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.watchdog import Watchdog


def told_of(seconds: float) -> list[str]:
    """What the watchdog says of a thread that does not yield for so long."""
    scheduler = Scheduler(EpollWaiter(), [SleepLoop()])
    told: list[str] = []

    async def hog() -> None:
        await sys_sleep(1_000)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not told:
            pass

    async def polite() -> None:
        for _ in range(20):
            await sys_sleep(1_000)

    watchdog = Watchdog(scheduler, held_us_max=20_000, tell=told.append)
    scheduler.spawn(polite())
    scheduler.spawn(hog(), "the hog")
    scheduler.run()
    watchdog.close()
    scheduler.close()
    return told


def test_watchdog__thread_computes_too_long__is_named_once_with_its_line() -> None:
    (message,) = told_of(10)
    assert message.startswith("<Thread the hog> holds the loop for more than 20 ms")
    assert "in hog" in message


def test_watchdog__threads_that_wait__nothing_is_said() -> None:
    assert told_of(0) == []
