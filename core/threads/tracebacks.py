"""Tracebacks as the user of a thread wants to read them: the user's frames, and which thread it was.

Owns which frames are machinery. An error passes through a system call, a nursery and the scheduler on its
way; what they add says nothing about what went wrong.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from types import TracebackType
from typing import Final

from gossamer.core.threads.systemcall import SystemCall

MACHINERY: Final = frozenset(
    os.path.join(os.path.dirname(__file__), name) for name in ("cancel.py", "nursery.py", "scheduler.py")
)
"""Files whose frames are left out."""


def without_machinery(error: BaseException) -> None:
    """Take out of an error's traceback the frames of the machinery, but the one it was raised in.

    >>> import traceback
    >>> from gossamer.core.threads.tracebacks import without_machinery
    >>> try:
    ...     raise KeyError("x")
    ... except KeyError as caught:
    ...     without_machinery(caught)
    ...     len(traceback.extract_tb(caught.__traceback__))
    1
    """
    kept = [entry for entry in _entries(error.__traceback__) if not _is_machinery(entry, error)]
    for entry, following in pairwise([*kept, None]):
        if entry is not None:
            entry.tb_next = following
    # Not `error.__traceback__ = ...`: an error of a frozen class refuses that.
    error.with_traceback(kept[0] if kept else None)


def note_thread(error: BaseException, name: str) -> None:
    """Note on an error in which thread it was raised, and make its traceback readable."""
    without_machinery(error)
    if isinstance(error, Exception):
        with suppress(AttributeError, TypeError):  # of a frozen class, or with notes of its own making
            error.add_note(f"in thread {name}")


def _entries(entry: TracebackType | None) -> Iterator[TracebackType]:
    """Bounds: the interpreter's recursion limit."""
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _is_machinery(entry: TracebackType, error: BaseException) -> bool:
    name = entry.tb_frame.f_code.co_filename
    if name not in MACHINERY:
        return False
    # What the machinery itself raises by mistake is looked for in it; a group, and what a call was answered
    # with that `start_soon` was given as it is, is not.
    # `f_locals` of any other frame would stay in it as a second copy of all that it holds, its thread too.
    has_it = "awaitable" in entry.tb_frame.f_code.co_varnames
    awaited = entry.tb_frame.f_locals.get("awaitable") if has_it else None
    is_passed_on = isinstance(error, BaseExceptionGroup) or isinstance(awaited, SystemCall)
    return entry.tb_next is not None or is_passed_on
