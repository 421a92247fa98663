"""Virtual time moves to the next event, and never past it."""

import pytest

from gossamer.core.clock import NEVER_US, VirtualClock
from gossamer.core.loop.virtual import DeadlockError, VirtualWaiter


def test_timeout_first__clock_moves_by_it() -> None:
    clock = VirtualClock(0)
    waiter = VirtualWaiter(clock)
    waiter.at(500, lambda: pytest.fail("not yet"))
    waiter.wait(100)
    assert clock() == 100


def test_event_first__clock_stops_there__in_order_of_coming() -> None:
    clock, called = VirtualClock(0), []
    waiter = VirtualWaiter(clock)
    waiter.at(50, lambda: called.append(("b", clock())))
    waiter.at(50, lambda: called.append(("c", clock())))
    waiter.at(20, lambda: called.append(("a", clock())))
    waiter.wait(NEVER_US)
    assert called == [("a", 20)]
    waiter.wait(1000)
    assert called == [("a", 20), ("b", 50), ("c", 50)]
    assert clock() == 50


def test_event_in_the_past__called_now() -> None:
    clock, called = VirtualClock(100), []
    waiter = VirtualWaiter(clock)
    waiter.at(10, lambda: called.append(clock()))
    waiter.wait(0)
    assert called == [100]


def test_nothing_to_come__deadlock() -> None:
    waiter = VirtualWaiter(VirtualClock())
    waiter.watch(3, 1, lambda _: None)
    waiter.unwatch(3)
    with pytest.raises(DeadlockError):
        waiter.wait(NEVER_US)
