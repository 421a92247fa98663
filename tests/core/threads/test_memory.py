"""What has ended is freed: threads that failed and were joined, and calls that stand in a ring."""

import gc
import tempfile
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from select import EPOLLIN
from typing import Any

import pytest

from gossamer.core.io.pipe import open_pipe
from gossamer.core.io.process import run_process
from gossamer.core.loop import from_thread
from gossamer.core.loop.disk.call import sys_aio_read
from gossamer.core.loop.fd.call import Descriptor, FdClose, FdRead, FdReadable, FdWritable, FdWrite
from gossamer.core.loop.fd.descriptor import EdgeClose, EdgeWait, EdgeWatch
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import (
    Blio,
    BlioToEnd,
    Fork,
    Join,
    Nbio,
    Park,
    Ret,
    sys_blio,
    sys_blio_to_end,
    sys_catch,
    sys_epoll_wait,
    sys_fork,
    sys_join,
    sys_nbio,
    sys_sleep,
    sys_yield,
)
from gossamer.core.threads.cancel import CancelScope, fail_after
from gossamer.core.threads.current import current_scheduler
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.scheduler import CALLS_IN_A_ROW_MAX
from gossamer.core.threads.starting import Started
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread

from .freed import MANY_ROUNDS, TAKEN, Taken, joins, nothing_left
from .test_calls import ROWS, Things, wrong_arguments

ROUNDS = 200


class Box:
    """Something weakly referenced that a call leads to, and that leads to the call."""

    def __init__(self) -> None:
        self.call: Any = None

    async def coroutine(self) -> None: ...

    def function(self, *_arguments: Any) -> None: ...


def thread_with(box: Box) -> Thread[Any]:
    thread: Thread[Any] = Thread(box.coroutine())
    thread.coroutine.close()
    thread.inbox = box
    return thread


def descriptor_with(box: Box) -> Descriptor:
    descriptor = Descriptor(0)
    descriptor.reader = box  # type: ignore[assignment]  # in the place of a thread
    return descriptor


def watch_with(box: Box) -> EdgeWatch:
    watch = EdgeWatch(0, 1)
    watch.thread = box  # type: ignore[assignment]  # in the place of a thread
    return watch


def fork_with(box: Box) -> Fork[Any]:
    async def holds() -> Box:
        return box

    return Fork(holds())


RINGS: dict[type[SystemCall[Any]], Callable[[Box], SystemCall[Any]]] = {
    Fork: fork_with,
    Join: lambda box: Join(thread_with(box)),
    Ret: Ret,
    Nbio: lambda box: Nbio(box.function, ()),
    Blio: lambda box: Blio(print, (box,)),
    BlioToEnd: lambda box: BlioToEnd(box.function, ()),
    Park: lambda box: Park(deque([box.function])),
    EdgeWait: lambda box: EdgeWait(watch_with(box)),
    EdgeClose: lambda box: EdgeClose(watch_with(box)),
    FdRead: lambda box: FdRead(descriptor_with(box), 1),
    FdWrite: lambda box: FdWrite(descriptor_with(box), b""),
    FdReadable: lambda box: FdReadable(descriptor_with(box)),
    FdWritable: lambda box: FdWritable(descriptor_with(box)),
    FdClose: lambda box: FdClose(descriptor_with(box)),
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("kind", RINGS, ids=lambda kind: kind.__name__)
def test_call_in_a_ring__is_found_by_the_collector(kind: type[SystemCall[Any]]) -> None:
    box = Box()
    box.call = RINGS[kind](box)
    found = weakref.ref(box)
    del box
    gc.collect()
    assert found() is None


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_call_that_the_collector_does_not_see__holds_only_what_makes_no_ring(
    kind: type[SystemCall[Any]],
) -> None:
    async def main() -> None:
        things = Things()
        values = [field.right for field in ROWS[kind](things)]
        if not kind.__struct_config__.gc:
            assert not [value for value in values if gc.is_tracked(value)]
        await things.close()

    run(main())


def threads_alive() -> int:
    gc.collect()
    return sum(isinstance(each, Thread) for each in gc.get_objects())


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_thread_that_failed_by_a_call_and_was_joined__is_freed_without_the_collector(
    kind: type[SystemCall[Any]],
) -> None:
    async def fails(arguments: list[Any]) -> None:
        call = kind(*arguments)
        await call
        raise LookupError(call)

    async def main() -> None:
        things = Things()
        wrong = [arguments for _, arguments in wrong_arguments(kind, things)] or [[]]
        with nothing_left():
            for number in range(MANY_ROUNDS):
                assert await joins(fails(wrong[number % len(wrong)]))
        await things.close()

    if kind is Ret:
        pytest.skip("it never fails")
    run(main())


def fails_at_once() -> None:
    raise LookupError


async def waits_for_what_cannot_be_watched() -> None:
    with tempfile.TemporaryFile() as regular:
        await sys_epoll_wait(regular.fileno(), EPOLLIN)


async def writes_until_nobody_reads() -> None:
    reader, writer = open_pipe()
    async with writer:
        await reader.close()
        await writer.send(bytes(1 << 20))


async def joins_a_failed_one() -> None:
    await sys_join(await sys_fork(sys_call(sys_blio(fails_at_once))))


async def sys_call(call: SystemCall[Any]) -> None:
    await call


async def keeps_an_error_and_waits() -> None:
    try:
        await sys_nbio(fails_at_once)
    except LookupError:
        await sys_sleep(1)
        raise


async def gets_it_in_another_turn() -> None:
    for _ in range(CALLS_IN_A_ROW_MAX - 1):
        await sys_nbio(int)
    await sys_nbio(fails_at_once)


async def fails_before_it_has_started(*, started: Started) -> None:
    raise LookupError(started)


async def waits_for_a_start() -> None:
    async with open_nursery() as nursery:
        await nursery.start(fails_before_it_has_started)


async def cancels_one_and_loses_another() -> None:
    async def cancels(scope: CancelScope) -> None:
        scope.cancel()
        raise LookupError

    with CancelScope() as scope:
        async with open_nursery() as nursery:
            nursery.start_soon(cancels, scope)
            await sys_sleep(1_000_000)


async def catches_and_fails() -> None:
    await sys_catch(sys_call(sys_nbio(fails_at_once)), fails_again)


async def fails_again(error: Exception) -> None:
    raise ValueError(error) from error


async def leaves_a_generator_that_fails() -> None:
    async def generator() -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise LookupError

    async for _ in generator():
        break
    raise LookupError


async def leaves_a_generator_that_waits_and_fails() -> None:
    async def generator() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await sys_sleep(1)
            await sys_call(sys_nbio(fails_at_once))

    async for _ in generator():
        break
    await sys_sleep(2)
    raise LookupError


async def fails_in_another_thread() -> None:
    await sys_blio(from_thread.run, joins_a_failed_one)


async def fails_between_threads() -> None:
    await sys_blio(from_thread.run_sync, fails_at_once)


async def gives_up() -> None:
    with fail_after(0.0001):
        await sys_sleep(600_000_000)  # A machine that stands still must not let it win.


FAILURES: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "nbio": lambda: sys_call(sys_nbio(fails_at_once)),
    "blio": lambda: sys_call(sys_blio(fails_at_once)),
    "blio to end": lambda: sys_call(sys_blio_to_end(fails_at_once)),
    "a file that is closed": lambda: sys_call(sys_aio_read(-1, 0, 1)),
    "a descriptor that is closed": lambda: sys_call(sys_epoll_wait(-1, EPOLLIN)),
    "a descriptor without events": waits_for_what_cannot_be_watched,
    "a broken pipe": writes_until_nobody_reads,
    "a failed thread": joins_a_failed_one,
    "a program that is not there": lambda: run_process(["/no/such/program"]),  # type: ignore[dict-item, return-value]
    "a limit": gives_up,
    "an error that was kept": keeps_an_error_and_waits,
    "an error of another turn": gets_it_in_another_turn,
    "a start": waits_for_a_start,
    "cancelled from outside": cancels_one_and_loses_another,
    "caught": catches_and_fails,
    "a generator": leaves_a_generator_that_fails,
    "a generator that waits": leaves_a_generator_that_waits_and_fails,
    "from another thread": fails_in_another_thread,
    "from another thread, at once": fails_between_threads,
}
"""What goes wrong not in a call, but in what it is for."""


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: taken.__name__)
@pytest.mark.parametrize("failure", FAILURES)
def test_thread_that_failed_by_what_a_call_is_for__is_freed_without_the_collector(
    failure: str, taken: Taken
) -> None:
    async def main() -> None:
        with nothing_left():
            for _ in range(MANY_ROUNDS if failure != "a program that is not there" else 20):
                assert await taken(FAILURES[failure]())
            await sys_sleep(1_000)

    run(main())


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: taken.__name__)
@pytest.mark.parametrize("where", ["child", "block", "both"])
def test_nursery_that_failed__its_threads_are_freed_without_the_collector(where: str, taken: Taken) -> None:
    async def child() -> None:
        if where != "block":
            raise LookupError("child")
        await sys_sleep(1_000_000)

    async def opens() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(child)
            if where != "child":
                raise LookupError("block")
            await sys_sleep(1_000_000)

    async def main() -> None:
        with nothing_left():
            for _ in range(MANY_ROUNDS):
                assert await taken(opens())

    run(main())


def test_thread_that_failed_as_it_was_dismissed__is_freed_without_the_collector() -> None:
    async def fails_at_its_end() -> None:
        try:
            await Park(deque())
        finally:
            raise LookupError

    async def main() -> None:
        scheduler: Any = current_scheduler()
        with nothing_left():
            for _ in range(MANY_ROUNDS):
                thread = await sys_fork(fails_at_its_end())
                await sys_yield()
                scheduler.dismiss(thread)

    run(main())


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_thread_that_failed_by_a_call_and_was_joined__is_freed(kind: type[SystemCall[Any]]) -> None:
    async def fails(arguments: list[Any]) -> None:
        call = kind(*arguments)
        await call
        raise LookupError(call)

    async def joins(arguments: list[Any]) -> bool:
        thread = await sys_fork(fails(arguments))
        try:
            await sys_join(thread)
        except Exception as error:  # noqa: BLE001 - whatever it is; kept in this frame on purpose
            kept = error
        return kept.__traceback__ is not None

    async def main() -> tuple[int, int]:
        things = Things()
        wrong = [arguments for _, arguments in wrong_arguments(kind, things)] or [[]]
        before = threads_alive()
        for number in range(ROUNDS):
            assert await joins(wrong[number % len(wrong)])
        after = threads_alive()
        await things.close()
        return before, after

    if kind is Ret:
        pytest.skip("it never fails")
    before, after = run(main())
    assert after <= before + 1
