"""The heart beats once in its time, whatever the threads do."""

from itertools import pairwise

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_sleep, sys_yield
from gossamer.core.threads.scheduler import TURN_THREADS_MAX, Scheduler
from gossamer.shards.worker.heart import HEARTBEAT_US, Heart


def test_heart__idle__beats_once_in_its_time() -> None:
    clock, beats = VirtualClock(now_us=5_000_000), list[int]()
    heart = Heart(lambda: beats.append(clock()))
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop(), heart], clock)
    scheduler.spawn(sleeps(10 * HEARTBEAT_US))
    scheduler.run()
    assert len(beats) == 11
    assert {later - sooner for sooner, later in pairwise(beats)} == {HEARTBEAT_US}


async def sleeps(us: int) -> None:
    await sys_sleep(us)


def test_heart__many_threads_ready__beats_between_them() -> None:
    clock, turns = VirtualClock(now_us=5_000_000), list[int]()
    ran = 0

    async def works() -> None:
        nonlocal ran
        await sys_yield()
        ran += 1
        clock.advance(1_000)

    heart = Heart(lambda: turns.append(ran))
    scheduler = Scheduler(VirtualWaiter(clock), [heart], clock)
    for _ in range(1_000):
        scheduler.spawn(works())
    scheduler.run()
    most = HEARTBEAT_US // 1_000 + 2 * TURN_THREADS_MAX
    assert max(later - sooner for sooner, later in pairwise(turns)) <= most
    assert len(turns) > 5
