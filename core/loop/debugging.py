"""What `run(main(), debug=True)`, or GOSSAMER_DEBUG=1, brings to a program, at a cost.

    the watchdog        names a thread that holds the loop for 100 ms (`core.threads.watchdog`)
    kill -QUIT PID      writes the stacks of all threads, and of asyncio's tasks, to standard error
                        (`core.threads.introspection`)
    forgotten awaits    are warned of (`core.threads.forgotten`)

Owns the handler of SIGQUIT while such a program runs. It writes from within the handler, so it also shows
what a thread that holds the loop is doing.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final

from gossamer.core.loop.caught import CaughtSignal
from gossamer.core.threads.forgotten import forgotten_awaits_are_named
from gossamer.core.threads.introspection import process_dump
from gossamer.core.threads.watchdog import Watchdog, Watched

VARIABLE: Final = "GOSSAMER_DEBUG"
"""Set to anything but "" or "0", it has the effect of `debug=True` where a program says nothing."""

STANDARD_ERROR: Final = 2


def is_wanted(debug: bool | None) -> bool:
    """Whether a program is debugged that says so, says not, or says nothing."""
    return os.environ.get(VARIABLE, "") not in ("", "0") if debug is None else debug


@contextmanager
def debugging(scheduler: Watched) -> Iterator[None]:
    """Watch a scheduler that the calling operating-system thread runs in the block."""
    with ExitStack() as stack:
        stack.enter_context(closing(Watchdog(scheduler, report=_report)))
        stack.enter_context(_dumps_on_sigquit())
        stack.enter_context(forgotten_awaits_are_named())
        yield


def _report(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def _dumps_on_sigquit() -> Iterator[None]:
    """On Python's main thread only, and only where SIGQUIT would end the program."""
    is_main_thread = threading.current_thread() is threading.main_thread()
    if not is_main_thread or signal.getsignal(signal.SIGQUIT) is not signal.SIG_DFL:
        yield
        return
    caught = CaughtSignal(signal.SIGQUIT, _dump)
    try:
        yield
    finally:
        caught.put_back()


def _dump(_number: int, _frame: object) -> None:
    # Past `sys.stderr`, which may be in the middle of a line of its own.
    os.write(STANDARD_ERROR, f"stacks of {process_dump()}".encode())
