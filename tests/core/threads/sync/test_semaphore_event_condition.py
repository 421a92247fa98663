"""Semaphore, event and condition: who waits, who goes on, in which order."""

from typing import Any

import pytest

from gossamer.core.errors import GossamerError, MisuseError
from gossamer.core.threads.calls import sys_sleep, sys_yield
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.sync import Condition, Event, Semaphore

Run = Any


def test_semaphore__no_more_than_its_places__first_come_first_served(run: Run) -> None:
    semaphore = Semaphore(2)
    inside, most, order = 0, 0, []

    async def enters(name: int) -> None:
        nonlocal inside, most
        async with semaphore:
            order.append(name)
            inside += 1
            most = max(most, inside)
            await sys_sleep(100)
            inside -= 1

    run(*(enters(name) for name in range(7)))
    assert (most, order, semaphore.free) == (2, list(range(7)), 2)


def test_semaphore__released_too_often_or_no_places__refused() -> None:
    with pytest.raises(GossamerError, match="more often"):
        Semaphore(1).release()
    with pytest.raises(MisuseError, match="places: found 0"):
        Semaphore(0)


def test_semaphore__cancelled_while_waiting__its_place_goes_to_the_next(run: Run) -> None:
    semaphore = Semaphore(1)
    order = []

    async def holder() -> None:
        async with semaphore:
            await sys_sleep(10_000)

    async def impatient() -> None:
        await sys_yield()
        with move_on_after(0.001):
            async with semaphore:
                order.append("never")

    async def patient() -> None:
        await sys_sleep(100)
        async with semaphore:
            order.append("patient")

    run(holder(), impatient(), patient())
    assert order == ["patient"]


def test_event__set__all_who_wait_go_on_and_later_ones_at_once(run: Run) -> None:
    event = Event()
    order = []

    async def waits(name: int) -> None:
        await event.wait()
        order.append(name)

    async def sets() -> None:
        await sys_sleep(100)
        assert not event.is_set
        event.set()
        event.set()
        await waits(9)

    run(*(waits(name) for name in range(3)), sets())
    assert sorted(order) == [0, 1, 2, 9]
    assert [name for name in order if name != 9] == [0, 1, 2]


def test_condition__notify__as_many_as_asked__mutex_is_held_again(run: Run) -> None:
    condition = Condition()
    order = []

    async def waits(name: int) -> None:
        async with condition:
            await condition.wait()
            assert condition.mutex.is_locked
            order.append(name)

    async def notifies() -> None:
        await sys_sleep(100)
        async with condition:
            condition.notify(2)
        await sys_sleep(100)
        assert order == [0, 1]
        async with condition:
            condition.notify_all()

    run(*(waits(name) for name in range(4)), notifies())
    assert order == [0, 1, 2, 3]


def test_condition__cancelled__has_the_mutex_when_it_leaves(run: Run) -> None:
    condition = Condition()

    async def waits() -> bool:
        with move_on_after(0.001) as scope:
            async with condition:
                await condition.wait()
        return scope.cancelled_caught

    assert run(waits()) == [True]
    assert not condition.mutex.is_locked


def test_condition__wait_without_the_mutex__refused(run: Run) -> None:
    with pytest.raises(GossamerError, match="holds its mutex"):
        run(Condition().wait())
