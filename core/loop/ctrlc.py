"""Ctrl-C as a cancellation, so that `finally` clauses run, and may block.

Owns the handler of SIGINT while a program runs. A handler runs between any two bytecodes, so the first SIGINT
only writes to an eventfd, and a thread cancels the program's scope when it is its turn. The second one raises
KeyboardInterrupt wherever it comes, as Python does: the way out of a program that does not end. A forked
child has no part in it: Ctrl-C ends it.

Source: asyncio.Runner (Python 3.11), whose rules these are.
"""

import os
import signal
import threading
from select import EPOLLIN
from typing import Final

from gossamer.core.loop.caught import CaughtSignal
from gossamer.core.threads.calls import sys_epoll_wait
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.introspection import stack_dump

PLACES_SHOWN: Final = 20
"""Places where threads stood that a KeyboardInterrupt lists, those of most threads first."""


class CtrlC:
    """Takes SIGINT from `with` to the end of it: on Python's main thread only, and only where Python's own
    handler is in place; elsewhere it does nothing.
    """

    def __init__(self) -> None:
        self._eventfd = -1
        self._caught: CaughtSignal | None = None
        self._has_come = False
        self.stood = ""
        """Where the threads of the program's scope stood when the first one came."""

    @property
    def is_taken(self) -> bool:
        """Whether SIGINT comes here."""
        return self._caught is not None

    async def calls_off(self, scope: CancelScope) -> None:
        """Wait for the first one, and cancel a scope."""
        await sys_epoll_wait(self._eventfd, EPOLLIN)
        self.stood = stack_dump(scope.threads(), PLACES_SHOWN)
        scope.cancel()

    def __enter__(self) -> "CtrlC":
        is_main_thread = threading.current_thread() is threading.main_thread()
        if is_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._caught = CaughtSignal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._caught is None:
            return
        self._caught.put_back()
        self._caught = None
        os.close(self._eventfd)

    def _handle(self, _number: int, _frame: object) -> None:
        if self._has_come:
            raise KeyboardInterrupt
        self._has_come = True
        os.eventfd_write(self._eventfd, 1)
