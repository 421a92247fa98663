"""timerfd: a time of CLOCK_MONOTONIC at which a descriptor becomes readable, to the kernel's own precision.

Owns the descriptor. It knows nothing of who waits for it.

Source: timerfd_create(2).
"""

import os

from gossamer.ffi._system import lib


class Timer:
    """One timer. Raises: OSError where the kernel refuses it, as sandboxes do."""

    def __init__(self) -> None:
        self.fd = lib.gossamer_timerfd_create()
        if self.fd < 0:
            raise OSError(-self.fd, os.strerror(-self.fd))

    def set(self, at_us: int) -> None:
        """Be ready at `at_us`, instead of what was set before. Raises: OSError."""
        code = lib.gossamer_timerfd_set(self.fd, at_us)
        if code < 0:
            raise OSError(-code, os.strerror(-code))

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)
