"""What has ended is freed: threads that failed and were joined, and calls that stand in a ring."""

import gc
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

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
    sys_fork,
    sys_join,
)
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread

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
