"""The calls of threads on each other and on themselves, which need no loop: Join, Park, Nbio, Ret.

Owns how each is answered, and withdrawn where its thread is cancelled. Whom they make ready stands in the
scheduler's queue, which is all that they ask of it (`core.threads.scheduler`).
"""

from collections import deque
from collections.abc import Callable
from types import MethodType
from typing import Any

from gossamer.core.errors import MisuseError, misuse
from gossamer.core.threads.calls import Join, Nbio, Park, Ret, Returning
from gossamer.core.threads.systemcall import Canceller, Handler
from gossamer.core.threads.thread import BLOCKED, ENDED, Raise, Thread


class ThreadCalls:
    """Takes them."""

    def __init__(
        self,
        resume: Callable[[Thread[Any], Any], None],
        throw: Callable[[Thread[Any], BaseException], None],
        unpark: Callable[[Thread[Any], Any], None],
    ) -> None:
        """Those of the scheduler; `unpark` is called by whoever wakes a parked thread."""
        self._resume = resume
        self._throw = throw
        self._wakes = unpark  # one for all: each parked thread has a method of it
        self.takes: dict[type, Handler] = {
            Join: self._join,
            Nbio: self._nbio,
            Park: self._park,
            Ret: self._ret,
        }
        self.cancels: dict[type, Canceller] = {Join: self._cancel_join, Park: self._cancel_park}

    def _join(self, thread: Thread[Any], call: Join[Any]) -> Any:
        joined = call.thread
        if joined is thread:
            raise MisuseError(f"{thread!r} joins itself and would wait for ever")
        if joined.joiners is None:
            joined.joiners = {thread: None}
        elif joined.joiners is not ENDED:
            joined.joiners[thread] = None
        elif type(joined.inbox) is Raise:
            self._throw(thread, joined.inbox.error)
        else:
            self._resume(thread, joined.inbox)
        return BLOCKED

    def _cancel_join(self, thread: Thread[Any], call: Join[Any]) -> bool:
        del call.thread.joiners[thread]
        return True

    def _park(self, thread: Thread[Any], call: Park[Any]) -> Any:
        if not isinstance(call.waiters, deque):
            raise misuse("sys_park: waiters", call.waiters, "a Waiters, or a deque")
        call.waiters.append(MethodType(self._wakes, thread))
        return BLOCKED

    def _cancel_park(self, thread: Thread[Any], call: Park[Any]) -> bool:
        try:
            call.waiters.remove(MethodType(self._wakes, thread))  # equal to the one that `_park` put in
        except ValueError:
            return False
        return True

    def _nbio(self, thread: Thread[Any], call: Nbio) -> Any:
        try:
            if thread.context is None:
                return call.function(*call.arguments)
            return thread.context.run(call.function, *call.arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - raised by the thread's own function, so in the thread
            del thread, call
            return Raise(error)

    def _ret(self, _thread: Thread[Any], call: Ret) -> Any:
        # Not `coroutine.close()`: within it a `finally` clause could not make a call that blocks.
        return Raise(Returning(call.value))
