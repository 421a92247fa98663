"""What threads are doing: records and texts made on request, at no cost until then.

Owns the walk along a suspended coroutine. No registry holds the threads, since it would cost memory for each
of millions: they are found among the objects of the interpreter when somebody asks.
"""

import gc
import linecache
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import msgspec

from gossamer.core.threads.systemcall import BLOCKED, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.ffi._await import Answer

DEPTH_MAX = 200
"""Frames of one thread that are looked at."""


class ThreadStatus(msgspec.Struct, frozen=True):
    """What a thread is doing."""

    name: str
    state: str
    """ "running", "ready", "blocked" or "ended"."""
    call: str
    """The class of the system call it is blocked in; "" when it is not blocked."""
    where: str
    """File, line and function of its innermost frame of ours."""


def _suspensions(awaited: Any) -> Iterator[Any]:
    """A suspended coroutine, and those within that it awaits, generators among them, outermost first."""
    for _ in range(DEPTH_MAX):
        if awaited is None:
            return
        yield awaited
        awaited = next(
            (
                inner
                for name in ("cr_await", "gi_yieldfrom", "ag_await")
                if (inner := getattr(awaited, name, None)) is not None
            ),
            None,
        )


def _frame(suspended: Any) -> FrameType | None:
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        frame: FrameType | None = getattr(suspended, name, None)
        if frame is not None:
            return frame
    return None


def blocked_in(thread: Thread[Any]) -> SystemCall[Any] | None:
    """The system call that a blocked thread waits for; None when it is not blocked in one."""
    awaited = getattr(thread.coroutine, "cr_await", None)
    if type(awaited) is Answer:  # Most wait in the function that they began with.
        call: SystemCall[Any] = awaited.call
        return call
    innermost = None
    for innermost in _suspensions(thread.coroutine):  # noqa: B007 - the last one is wanted
        pass
    return innermost.call if isinstance(innermost, Answer) else None


def frames(thread: Thread[Any]) -> list[FrameType]:
    """The frames of a suspended thread, outermost first."""
    return _frames_of(thread.coroutine)


def _frames_of(coroutine: Any) -> list[FrameType]:
    return [frame for each in _suspensions(coroutine) if (frame := _frame(each)) is not None]


def status(thread: Thread[Any]) -> ThreadStatus:
    """What a thread is doing, as a record."""
    call = blocked_in(thread) if thread.inbox is BLOCKED and not thread.has_ended else None
    if thread.has_ended:
        state = "ended"
    elif thread.inbox is not BLOCKED:
        state = "ready"
    else:
        state = "blocked" if call is not None else "running"
    stack = frames(thread)
    return ThreadStatus(
        thread.label, state, type(call).__name__ if call else "", _place(stack[-1]) if stack else ""
    )


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def all_threads() -> list[Thread[Any]]:
    """Every thread that has not ended, of all schedulers of this process, in order of creation (within each
    scheduler; those of several are interleaved).

    A heap that was frozen (`gc.freeze`) is not frozen any more afterwards: a full collection looks at all of
    it again, until it is frozen anew.
    """
    gc.unfreeze()  # gc.get_objects does not list frozen objects
    found = [each for each in gc.get_objects() if isinstance(each, Thread) and not each.has_ended]
    # The collector moves what it meets late behind the others: its order says nothing.
    return sorted(found, key=lambda thread: thread.number)


def stack_dump(threads: Sequence[Thread[Any]], limit: int = 1000) -> str:
    """The stacks of threads as text, those of one place together, the most frequent first."""
    stacks: Stacks = {}
    for thread in threads:
        now = status(thread)
        call = f" in {now.call}" if now.call else ""
        lines = tuple(_line(frame) for frame in frames(thread))
        stacks.setdefault((f"{now.state}{call}", *lines), []).append(now.name)
    return _shown(f"{len(threads)} threads", stacks, limit)


def all_tasks() -> list[Any]:
    """Every task of asyncio's that has not ended, of all its loops; none in a program that never loaded
    that."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return []
    gc.unfreeze()  # as above
    return [each for each in gc.get_objects() if isinstance(each, asyncio.Task) and not each.done()]


def task_frames(task: Any) -> list[FrameType]:
    """The frames of a suspended task of asyncio's, outermost first."""
    return _frames_of(task.get_coro())


def task_dump(tasks: Sequence[Any], limit: int = 1000) -> str:
    """As `stack_dump`, of tasks of asyncio's."""
    stacks: Stacks = {}
    for task in tasks:
        coroutine = task.get_coro()
        state = "running" if getattr(coroutine, "cr_running", False) else "waiting"
        lines = tuple(_line(frame) for frame in task_frames(task))
        stacks.setdefault((state, *lines), []).append(task.get_name())
    return _shown(f"{len(tasks)} tasks of asyncio", stacks, limit)


def process_dump() -> str:
    """All that waits or runs in this process: threads, and tasks where there are any."""
    tasks = all_tasks()
    return stack_dump(all_threads()) + (task_dump(tasks) if tasks else "")


Stacks = dict[tuple[str, ...], list[str]]
"""By state and lines, the names of those that stand there."""


def _shown(head: str, stacks: Stacks, limit: int) -> str:
    ordered = sorted(stacks.items(), key=lambda item: -len(item[1]))
    parts = [head]
    for key, names in ordered[:limit]:
        state, lines = key[0], key[1:]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        parts.append(f"{len(names)} x {state}: {shown}")
        parts += lines
    return "\n".join(parts) + "\n"


def _line(frame: FrameType) -> str:
    source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"    {_place(frame)}\n        {source}"
