"""What threads share is refused to other operating-system threads, and is anybody's while no program runs."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_blio, sys_fork, sys_join, sys_park, sys_sleep, sys_yield
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.sync import Channel, Condition, Event, Mutex, Semaphore, TVar, atomically
from gossamer.core.threads.sync.channel import NOTHING

USES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "Event.set": (Event, lambda event: event.set()),
    "Event.wait": (Event, lambda event: event.wait().send(None)),
    "Mutex.lock": (Mutex, lambda mutex: mutex.lock().send(None)),
    "Mutex.__aenter__": (Mutex, lambda mutex: mutex.__aenter__().send(None)),
    "Mutex.unlock": (Mutex, lambda mutex: mutex.unlock()),
    "Semaphore.acquire": (lambda: Semaphore(1), lambda semaphore: semaphore.acquire().send(None)),
    "Semaphore.release": (lambda: Semaphore(1), lambda semaphore: semaphore.release()),
    "Condition.notify": (Condition, lambda condition: condition.notify()),
    "Condition.notify_all": (Condition, lambda condition: condition.notify_all()),
    "Channel.try_send": (lambda: Channel(1), lambda channel: channel.try_send(1)),
    "Channel.try_receive": (lambda: Channel(1), lambda channel: channel.try_receive()),
    "Channel.send": (lambda: Channel(1), lambda channel: channel.send(1).send(None)),
    "Channel.receive": (lambda: Channel(1), lambda channel: channel.receive().send(None)),
    "Channel.close": (lambda: Channel(1), lambda channel: channel.close()),
    "read": (lambda: TVar(1), lambda var: atomically(lambda tx: tx.read(var)).send(None)),
    "write": (lambda: TVar(1), lambda var: atomically(lambda tx: tx.write(var, 2)).send(None)),
}


def outcome_elsewhere(function: Callable[[], Any]) -> Any:
    """What a function returns, or raises, on an operating-system thread of its own."""
    found: list[Any] = []

    def tries() -> None:
        try:
            found.append(function())
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            found.append(error)

    thread = threading.Thread(target=tries)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("in_pool", [False, True], ids=["a thread", "the pool"])
def test_another_operating_system_thread__refused(use: str, in_pool: bool) -> None:
    make, using = USES[use]

    async def main() -> Any:
        made = make()
        if in_pool:
            return await sys_blio(lambda: outcome_of(using, made))
        return outcome_elsewhere(lambda: using(made))

    error = run(main())
    assert isinstance(error, MisuseError)
    assert "from_thread" in str(error)


def outcome_of(function: Callable[[Any], Any], made: Any) -> Any:
    try:
        return function(made)
    except BaseException as error:  # noqa: BLE001 - looked at by the test
        return error


@pytest.mark.parametrize("use", [name for name in USES if "unlock" not in name and "release" not in name])
def test_made_before_the_program__another_thread_is_refused_once_it_was_used_within(use: str) -> None:
    make, using = USES[use]
    made = make()

    async def main() -> Any:
        made._find_owner()  # what every use does first
        return outcome_elsewhere(lambda: using(made))

    assert isinstance(run(main()), MisuseError)


def test_before_and_after_a_program__anybodys() -> None:
    channel: Channel[int] = Channel(4)
    assert channel.try_send(1)

    async def main() -> int:
        assert channel.try_send(2)
        return await channel.receive()

    assert run(main()) == 1
    assert outcome_elsewhere(channel.try_receive) == 2
    assert channel.try_receive() is NOTHING
    channel.try_send(3)
    assert outcome_elsewhere(lambda: run(main())) == 3, "a second program, on another thread"


def test_waiting_thread__is_not_woken_by_another_operating_system_thread() -> None:
    """A structure of the user's own over `sys_park` is guarded too."""
    waiters: deque[Callable[[str], None]] = deque()

    async def waits() -> str:
        return await sys_park(waiters)

    async def main() -> tuple[Any, str]:
        thread = await sys_fork(waits())
        await sys_yield()
        refused = outcome_elsewhere(lambda: waiters[0]("from elsewhere"))
        waiters.popleft()("from here")
        return refused, await sys_join(thread)

    refused, value = run(main())
    assert isinstance(refused, MisuseError)
    assert value == "from here"


def test_nursery_and_scope__another_operating_system_thread__refused() -> None:
    async def main() -> list[Any]:
        async with open_nursery() as nursery:
            with CancelScope() as scope:
                await sys_yield()
                return [
                    outcome_elsewhere(lambda: nursery.start_soon(sys_sleep, 1)),
                    await sys_blio(outcome_of, lambda _: nursery.start_soon(sys_sleep, 1), None),
                    outcome_elsewhere(scope.cancel),
                    outcome_elsewhere(lambda: setattr(scope, "deadline_us", 5)),
                    outcome_elsewhere(lambda: setattr(scope, "shield", True)),
                    scope.cancel_called,
                ]

    *refused, called = run(main())
    assert all(isinstance(error, MisuseError) for error in refused)
    assert not called
