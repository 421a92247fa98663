"""The errors that Gossamer raises on purpose.

What happens to a connection is told with Python's own OSErrors, the same on either stack:
ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError, TimeoutError. What is
here has no name there.
"""


class GossamerError(Exception):
    """Base of every error of this project that is not an OSError."""


class BoundExceeded(GossamerError):
    """A queue or table is full; the message names the bound and where it is set."""


class Draining(GossamerError):
    """The server is draining: finish the request at hand, close when idle. Raised in threads blocked in a
    receive."""
