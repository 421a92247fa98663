"""The errors that Gossamer raises on purpose.

What happens to a connection is told with Python's own OSErrors, the same on either stack:
ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError, TimeoutError. What is
here has no name there.
"""

import reprlib


class GossamerError(Exception):
    """Base of every error of this project that is not an OSError."""


class BoundExceeded(GossamerError):
    """A queue or table is full; the message names the bound and where it is set."""


class Draining(GossamerError):
    """The server is draining: finish the request at hand, close when idle. Raised in threads blocked in a
    receive."""


class MisuseError(GossamerError):
    """A call was made as it cannot be: with a wrong argument, or while another thread makes the same. Raised
    in the thread that made it, and only there."""


class IncompleteReadError(GossamerError, EOFError):
    """A stream ended before all was there that was asked for; `partial` is what there was."""

    def __init__(self, partial: bytes, expected: str) -> None:
        super().__init__(partial, expected)
        self.partial = partial
        self.expected = expected

    def __str__(self) -> str:
        return f"the stream ended after {len(self.partial)} bytes of {self.expected}"


def misuse(name: str, found: object, allowed: str) -> MisuseError:
    """The error for a wrong argument: its name, what was found, and what is allowed.

    >>> from gossamer.core.errors import misuse
    >>> misuse("bytes_max", "1", "a number from 1 to 100")
    MisuseError("bytes_max: found '1' (str), allowed is a number from 1 to 100")
    """
    return MisuseError(f"{name}: found {reprlib.repr(found)} ({type(found).__name__}), allowed is {allowed}")
