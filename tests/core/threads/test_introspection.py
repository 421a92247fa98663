"""What threads are doing, shown on request."""

import gc
from collections import deque
from typing import Any

from gossamer.core.clock import VirtualClock
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import Park, Sleep, sys_sleep, sys_yield
from gossamer.core.threads.introspection import all_threads, blocked_in, stack_dump, status
from gossamer.core.threads.scheduler import Scheduler


def made() -> Scheduler:
    clock = VirtualClock()
    return Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)


async def deep_sleep() -> None:
    await sys_sleep(1_000_000)


async def sleeper() -> None:
    await deep_sleep()


def test_status__blocked__names_the_call_and_the_line() -> None:
    scheduler = made()
    thread = scheduler.spawn(sleeper(), "dozer")
    waiting = scheduler.spawn(parked(deque()), "parked")
    scheduler.spawn(stop_soon(scheduler))
    scheduler.run()
    shown = status(thread)
    assert (shown.name, shown.state, shown.call) == ("dozer", "blocked", "Sleep")
    assert shown.where.endswith("in deep_sleep")
    assert isinstance(blocked_in(thread), Sleep)
    assert status(waiting).call == "Park"
    assert thread in all_threads()


async def parked(waiters: deque[Any]) -> None:
    await Park(waiters)


async def stop_soon(scheduler: Scheduler) -> None:
    await sys_yield()
    scheduler.stop()


def test_all_threads__heap_was_frozen__they_are_found_all_the_same() -> None:
    scheduler = made()
    thread = scheduler.spawn(sleeper(), "frozen")
    gc.freeze()
    try:
        later = scheduler.spawn(sleeper(), "later")
        found = all_threads()
    finally:
        gc.unfreeze()
    assert thread in found
    assert later in found
    for each in (thread, later):
        each.coroutine.close()


def test_all_threads__collector_has_moved_them__in_order_of_creation() -> None:
    scheduler = made()
    threads = [scheduler.spawn(sleeper(), f"number {number}") for number in range(50)]
    reached_late = [threads[7], threads[3]]
    gc.collect()
    gc.freeze()
    threads += [scheduler.spawn(sleeper(), f"number {number}") for number in range(50, 60)]
    found = [each.name for each in all_threads() if each in threads]
    assert found == [f"number {number}" for number in range(60)]
    for each in (*threads, *reached_late):
        each.coroutine.close()


def test_status__ready_and_ended() -> None:
    scheduler = made()
    thread = scheduler.spawn(stop_soon(scheduler), "stopper")
    assert status(thread).state == "ready"
    scheduler.run()
    scheduler.run()
    assert status(thread).state == "ended"


def test_stack_dump__threads_of_one_place_stand_together() -> None:
    scheduler = made()
    threads = [scheduler.spawn(sleeper(), f"dozer {number}") for number in range(7)]
    scheduler.spawn(stop_soon(scheduler))
    scheduler.run()
    text = stack_dump(threads)
    assert "7 x blocked in Sleep: dozer 0, dozer 1, dozer 2, dozer 3, dozer 4, ...\n" in text
    assert "await deep_sleep()" in text
    assert text.index("sleeper") < text.index("in deep_sleep")
