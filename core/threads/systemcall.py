"""What a thread says to its scheduler: a system call, a frozen value.

A thread is a coroutine; `await SomeCall(...)` yields the call to the scheduler, which hands it to the loop
that takes calls of that class, and resumes the thread with the result. The set of calls is open: a new one is
a subclass and a loop that takes it, anywhere. This module knows no loop and no device.

A call is awaited as it is, never wrapped in an `async def`: a blocked thread then costs one frame less.

Source: Li and Zdancewic, PLDI 2007, section 3 (system calls as nodes of a trace).
"""

import reprlib
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from gossamer.core.errors import GossamerError, MisuseError
from gossamer.core.threads.thread import BLOCKED as BLOCKED
from gossamer.ffi._await import await_answer

R_co = TypeVar("R_co", covariant=True)


class SystemCall(msgspec.Struct, Generic[R_co], frozen=True):
    """Base of all system calls; R_co is what the awaiting thread gets back.

    A call of one's own is a subclass, and a loop that takes it (docs/adding-a-system-call.md). Wrong
    arguments are refused with `MisuseError`: by its `__post_init__`, or, where nanoseconds count, by the
    handler. `gc=False` saves 16 bytes; use it only for a call whose fields lead to no thread, function or
    frame: the traceback of an error holds the call that raised it, and a reference cycle through it would
    never be found.

    >>> from gossamer import run
    >>> from gossamer.lowlevel import PassiveLoop, SystemCall
    >>> class Double(SystemCall[int], frozen=True):
    ...     number: int
    >>> class DoublingLoop(PassiveLoop):
    ...     takes = {Double: lambda thread, call: 2 * call.number}
    ...     def start(self, scheduler): ...
    ...     def close(self): ...
    >>> async def main():
    ...     return await Double(21)
    >>> run(main(), [DoublingLoop()])
    42
    """

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, R_co]: ...

    else:
        # In C: the generator that would do costs a blocked thread 144 bytes more, and every call a frame.
        __await__ = await_answer


Canceller = Callable[[Any, Any], bool]
"""canceller(thread, call) -> whether the call that the blocked thread made is withdrawn: then nothing will
answer it any more, and the scheduler wakes the thread. False: the answer must be waited for."""

Handler = Callable[[Any, Any], Any]
"""handler(thread, call) -> result | BLOCKED.

An OSError or GossamerError that it raises (MisuseError for an argument that is not allowed) is raised in the
calling thread; any other exception is our own bug and ends the process loudly. After BLOCKED the loop owes
the thread exactly one `scheduler.resume(thread, value)` or `scheduler.throw(thread, error)`."""


class NoLoopTakesCall(GossamerError):
    """A thread made a system call, and no loop of this scheduler takes calls of that class."""


class NotASystemCall(MisuseError):
    """A thread awaited something of another library, such as an asyncio future."""


def refusal(call: Any, loops: Iterable[object]) -> GossamerError:
    """Why no handler was found for what a thread yielded, beside these loops."""
    if isinstance(call, SystemCall):
        names = ", ".join(type(loop).__name__ for loop in loops) or "none"
        return NoLoopTakesCall(f"no loop takes {type(call).__name__}; loops of this scheduler: {names}")
    found = reprlib.repr(call)  # which is there even where its own `repr` raises
    return NotASystemCall(f"a thread awaited {found}, which is no system call of this library")
