"""The errors that Gossamer raises on purpose.

What happens to a connection is raised as Python's own OSErrors, the same on either stack:
ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError, TimeoutError. The
errors here are those that Python has no name for.
"""

import errno
import os
import reprlib
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class GossamerError(Exception):
    """Base of every error of this project that is not an OSError."""


class BoundExceeded(GossamerError):
    """A queue or table is full; the message names the bound and where it is set."""


class Draining(GossamerError):
    """The server is draining: finish the request at hand, close when idle. Raised in threads blocked in a
    receive."""


class MisuseError(GossamerError):
    """A call with an argument that it does not take, or made where it may not be made; it had no effect.

    Raised on the line that calls. The message names the argument, what was found and what is allowed.

    >>> from gossamer import MisuseError, run, sys_sleep
    >>> async def main():
    ...     try:
    ...         await sys_sleep(0.5)
    ...     except MisuseError as error:
    ...         print(error)
    >>> run(main())
    sys_sleep: us: found 0.5 (float), allowed is whole microseconds; half a second is 500_000
    """


class IncompleteReadError(GossamerError, EOFError):
    """A stream ended before all that was asked for had come; `partial` is what there was."""

    def __init__(self, partial: bytes, expected: str) -> None:
        super().__init__(partial, expected)
        self.partial = partial
        self.expected = expected

    def __str__(self) -> str:
        return f"the stream ended after {len(self.partial)} bytes of {self.expected}"


def without_frames(error: E) -> E:
    """The error without its traceback, and without what led to it.

    The frames of a loop mean nothing to the thread that gets its error. They lead to that thread, which holds
    its error: in such a ring neither would be freed but by the collector.
    """
    error.with_traceback(None)
    # Not by assignment, which an error of a frozen class refuses.
    object.__setattr__(error, "__cause__", None)
    object.__setattr__(error, "__context__", None)
    return error


def what_failed(error: BaseException) -> str:
    """What an error says, for a person: the number of an OSError by its name, any other error as it is.

    >>> from gossamer.core.errors import what_failed
    >>> what_failed(OSError(24, "Too many open files"))
    'Too many open files (EMFILE)'
    >>> what_failed(FileNotFoundError(2, "No such file or directory", "/no/such"))
    '/no/such: No such file or directory (ENOENT)'
    """
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    name = errno.errorcode.get(error.errno or 0)
    what = f"{error.strerror} ({name})" if name else error.strerror
    return what if error.filename is None else f"{os.fsdecode(error.filename)}: {what}"


def misuse(name: str, found: object, allowed: str) -> MisuseError:
    """The error for a wrong argument: its name, what was found, and what is allowed.

    >>> from gossamer.lowlevel import misuse
    >>> misuse("bytes_max", "1", "a number from 1 to 100")
    MisuseError("bytes_max: found '1' (str), allowed is a number from 1 to 100")
    """
    return MisuseError(f"{name}: found {reprlib.repr(found)} ({type(found).__name__}), allowed is {allowed}")


def check_whole(argument: str, found: object, least: int, most: int, allowed: str) -> None:
    """Raises: MisuseError for anything but a whole number from `least` to `most`; True and False do not count
    as numbers."""
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise misuse(argument, found, allowed)
