"""Handlers of signals that belong to the process that put them there, and not to a child that it forks.

A forked child has the parent's handlers, and the descriptors by which they wake the parent's loop: a signal
to the child would be heard by the parent, and the child live on. So a handler of ours is an object that knows
what stood in its place, and a forked child puts that back. Python's own table of handlers says which those
are: nothing else is kept. No signal comes between the fork and that. What execs needs none of it, since exec
puts back the default of all that is caught.

Owns that every handler of ours is such an object; what it does, its owner knows.

Source: fork(2), execve(2), signal(7); os.register_at_fork and signal.set_wakeup_fd of the standard library.
"""

import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

NO_WAKEUP: Final = -1

Act = Callable[[int, FrameType | None], None]


class CaughtSignal:
    """The handler of one signal, in place from now on; to be made on Python's main thread."""

    def __init__(self, number: int, act: Act, wakeup_fd: int = NO_WAKEUP) -> None:
        """`act` is called with number and frame, as handlers are. `wakeup_fd` is what Python writes the
        number to as well, if the owner has set one (signal.set_wakeup_fd).
        """
        self._number = number
        self._act = act
        self.wakeup_fd = wakeup_fd
        self.previous: Any = signal.getsignal(number)
        """What stood in its place; None for what was not Python's."""
        signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._act(number, frame)

    @property
    def is_in_place(self) -> bool:
        """Whether nobody else has taken the signal meanwhile."""
        return signal.getsignal(self._number) is self

    def put_back(self) -> None:
        """Put back what stood here before; if somebody else has taken the signal, it is left to them."""
        if self.is_in_place:
            signal.signal(self._number, signal.SIG_DFL if self.previous is None else self.previous)

    def leave_to_child(self) -> None:
        """As `put_back`, in a forked child.

        Python's own handler of SIGINT raises KeyboardInterrupt, which would go through loops that the child
        shares with its parent: the default action ends it instead.
        """
        if self.previous is signal.default_int_handler:
            self.previous = signal.SIG_DFL
        self.put_back()
        if self.wakeup_fd != NO_WAKEUP:
            in_place = signal.set_wakeup_fd(NO_WAKEUP)
            if in_place != self.wakeup_fd:
                signal.set_wakeup_fd(in_place)  # somebody else's


MASK: Final[ContextVar[set[int]]] = ContextVar("MASK")
"""The signals that the thread which forks just now has blocked itself."""


def _hold_signals() -> None:
    MASK.set(set(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())))


def _let_signals_come() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, MASK.get())


def _begin_as_child() -> None:
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if isinstance(handler, CaughtSignal):
            handler.leave_to_child()
    _let_signals_come()


# Python calls them on the thread that forks, which is the child's main thread.
os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_come, after_in_child=_begin_as_child)
