"""Many threads wait at one place, each in a scope of its own, and are cancelled in any order: the work of
each is the same however many wait there. At every place where threads wait, on either stack."""

import random
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from gossamer.core.loop.program import run
from gossamer.core.threads import threadcalls
from gossamer.core.threads.calls import sys_fork, sys_join, sys_park, sys_sleep, sys_yield
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.sync import (
    Channel,
    Condition,
    Event,
    Mutex,
    Semaphore,
    TVar,
    atomically,
    receiving,
    select,
    sending,
)
from gossamer.core.threads.thread import Thread
from gossamer.core.threads.waiters import SEARCHED_MAX, Waiters

from .stacks import NOWHERE, Functional, Kernel

FEW = 4 * SEARCHED_MAX
ORDERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "first first": lambda scopes: scopes,
    "last first": lambda scopes: scopes[::-1],
    "in any order": lambda scopes: random.Random(1).sample(scopes, len(scopes)),
}
Wait = Callable[[], Awaitable[Any]]


class SeenWaker:
    """A parked thread's waker, of which a search is seen: that of a method in C would not be."""

    def __init__(self, wakes: Callable[..., Any], thread: Thread[Any]) -> None:
        self._wakes, self._thread = wakes, thread

    def __call__(self, value: Any) -> None:
        self._wakes(self._thread, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeenWaker) and self._thread is other._thread

    def __hash__(self) -> int:
        return id(self._thread)


def is_same(thread: Thread[Any], other: object) -> bool:
    return thread is other


@pytest.fixture(autouse=True)
def comparisons_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As steps of Python: searches for a thread, and for its waker."""
    monkeypatch.setattr(Thread, "__eq__", is_same)
    monkeypatch.setattr(threadcalls, "MethodType", SeenWaker)


class Steps:
    """Counts the lines and calls of Python while it is entered."""

    def __init__(self) -> None:
        self.total = 0

    def _trace(self, _frame: Any, _event: str, _argument: Any) -> Any:
        self.total += 1
        return self._trace

    def __enter__(self) -> "Steps":
        self._outer = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.settrace(self._outer)


async def steps_of_cancelling(wait: Wait, count: int, order: Callable[[list[Any]], list[Any]]) -> int:
    """Of `count` threads that wait, each in a scope of its own."""
    scopes: list[CancelScope] = []

    async def waits() -> None:
        with CancelScope() as scope:
            scopes.append(scope)
            await wait()

    threads = [await sys_fork(waits()) for _ in range(count)]
    while len(scopes) < count:
        await sys_yield()
    for _ in range(3):
        await sys_yield()
    with Steps() as steps:
        for scope in order(scopes):
            scope.cancel()
        for thread in threads:
            await sys_join(thread)
    assert all(scope.cancelled_caught for scope in scopes)
    return steps.total


async def check(wait: Wait, order: Callable[[list[Any]], list[Any]], count: int = FEW) -> None:
    few = await steps_of_cancelling(wait, count, order)
    many = await steps_of_cancelling(wait, 4 * count, order)
    assert many < 4.5 * few, f"{count} threads: {few} steps, {4 * count}: {many}"


async def event() -> Wait:
    return Event().wait


async def mutex() -> Wait:
    held = Mutex()
    await held.lock()
    return held.lock


async def semaphore() -> Wait:
    held = Semaphore(1)
    await held.acquire()
    return held.acquire


async def condition() -> Wait:
    changed = Condition()

    async def waits() -> None:
        async with changed:
            await changed.wait()

    return waits


async def channel_receive() -> Wait:
    return Channel[int]().receive


async def channel_send() -> Wait:
    full: Channel[int] = Channel()
    return lambda: full.send(1)


async def select_of_two() -> Wait:
    first, second = Channel[int](), Channel[int]()
    return lambda: select(receiving(first), sending(second, 1))


async def transaction() -> Wait:
    variables = [TVar(0), TVar(0)]
    return lambda: atomically(lambda tx: tx.retry() if [tx.read(each) for each in variables] else None)


async def park() -> Wait:
    waiters: Waiters[Any] = Waiters()
    return lambda: sys_park(waiters)


async def join() -> Wait:
    long = await sys_fork(sleeps())
    return lambda: sys_join(long)


async def sleeps() -> None:
    await sys_sleep(3_600_000_000)


async def sleep() -> Wait:
    return sleeps


PLACES = (
    event,
    mutex,
    semaphore,
    condition,
    channel_receive,
    channel_send,
    select_of_two,
    transaction,
    park,
    join,
    sleep,
)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_between_threads(
    place: Callable[[], Awaitable[Wait]], order: Callable[[list[Any]], list[Any]]
) -> None:
    async def main() -> None:
        await check(await place(), order)

    run(main())


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_accept(stack: Any, order: Callable[[list[Any]], list[Any]]) -> None:
    checking = stack.server_scheduler.spawn(check(stack.acceptor.accept, order))

    async def waits() -> None:
        while not checking.has_ended:
            await sys_sleep(1_000)

    stack.run(waits())
    assert checking.inbox is None, checking.inbox.error


def test_connect__on_kernel_sockets() -> None:
    """At most 256 descriptors are open at once. No order: each is looked up by its thread."""
    stack = Kernel()
    with full_listener() as address:
        stack.run(check(lambda: stack.connector.connect(address), ORDERS["last first"], FEW // 4))
    stack.close()


def test_connect__on_the_functional_tcp() -> None:
    """It has 100 ports."""
    stack = Functional()
    stack.run(check(lambda: stack.connector.connect(NOWHERE), ORDERS["last first"], 20))
    stack.close()


@contextmanager
def full_listener() -> Iterator[Any]:
    """The address of a listener whose queue is full: who connects there waits."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            guest = opened.enter_context(socket.socket())
            guest.setblocking(False)
            guest.connect_ex(listener.getsockname())
        yield listener.getsockname()
