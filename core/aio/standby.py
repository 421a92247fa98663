"""In whose name a transport makes system calls: a thread without a coroutine.

A transport cannot await: it is called, and has to return. So it hands a call to its loop itself, and is
called back where the loop did not answer at once. To the loop this is a thread as any other, which is blocked
in one call at a time; it never ends, and nobody counts it.

Owns what the scheduler meets in the place of a coroutine.
"""

from collections.abc import Callable
from typing import Any, Final

from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread


class AtRest(SystemCall[None], frozen=True, gc=False):
    """Blocked in nothing: until the next call is made in its name. Taken by `core.aio.guest`."""


AT_REST: Final = AtRest()


class Standby(Thread[None]):
    """Makes calls, one at a time, and calls back. What is called back must not raise, and only queue.

    Units: none. Bounds: one call that is not answered.
    """

    __slots__ = ("_failed", "_perform", "_then")

    def __init__(
        self,
        scheduler: SchedulerPort,
        name: str,
        then: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(self, name)  # type: ignore[arg-type]  # it has the methods that the scheduler calls
        self._perform = scheduler.perform
        self._then = then
        self._failed = failed

    def make(self, call: SystemCall[Any]) -> Any:
        """The call's result, or BLOCKED: then `then` is called with it, or `failed` with its error.

        Raises: OSError, GossamerError, as the call.
        """
        return self._perform(self, call)

    def send(self, value: Any) -> AtRest:
        """The scheduler goes on with it: the answer has come."""
        self._then(value)
        return AT_REST

    def throw(self, error: BaseException) -> AtRest:
        """The scheduler goes on with it: an error has come."""
        self._failed(error)
        return AT_REST

    def close(self) -> None:
        """Nothing is held."""
