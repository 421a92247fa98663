"""io_uring: reads, writes and syncs of any descriptor, begun together; an eventfd signals what is done.

Owns one ring. It does not know who waits for what.

Source: io_uring(7), io_uring_enter(2).
"""

import errno
import os
from typing import Final

from gossamer.ffi._aio import ffi, lib
from gossamer.ffi.inflight import Done, InFlight, refusal

LATER: Final = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR})
"""The kernel has no room just now."""

OP_FSYNC: Final = 3
OP_READ: Final = 22
OP_WRITE: Final = 23
"""Numbers of linux/io_uring.h."""


class UringContext(InFlight):
    """Up to `depth` operations in flight.

    It is used by the operating-system thread that made it only. Raises: OSError where the kernel or its
    administrator has no io_uring for us (ENOSYS, EPERM, ENOMEM), and in other threads (EEXIST).
    """

    def __init__(self, depth: int, chunk_bytes: int) -> None:
        super().__init__(depth, chunk_bytes)
        error = ffi.new("int *")
        self._ring = lib.gossamer_uring_open(depth, self.eventfd, error)
        if self._ring == ffi.NULL:
            os.close(self.eventfd)
            raise OSError(error[0], f"io_uring_setup, _enter: {os.strerror(error[0])}")

    def read(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Queue filling the first `length` bytes of the slot's chunk from `offset` of `fd`.

        Raises: OSError.
        """
        ring, address = self._ring, self._addresses[slot]
        code = lib.gossamer_uring_push(ring, slot, OP_READ, fd, address, length, offset)
        if code < 0:
            raise refusal(code, "io_uring")

    def write(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Queue writing the first `length` bytes of the slot's chunk to `offset` of `fd`.

        Raises: OSError.
        """
        ring, address = self._ring, self._addresses[slot]
        code = lib.gossamer_uring_push(ring, slot, OP_WRITE, fd, address, length, offset)
        if code < 0:
            raise refusal(code, "io_uring")

    def sync(self, slot: int, fd: int) -> None:
        """Queue an fsync of `fd`. Raises: OSError."""
        code = lib.gossamer_uring_push(self._ring, slot, OP_FSYNC, fd, 0, 0, 0)
        if code < 0:
            raise refusal(code, "io_uring")

    def submit(self) -> bool:
        """Begin what is queued, in one system call; False when some of it has to be submitted again.

        Raises: OSError.
        """
        code = lib.gossamer_uring_submit(self._ring)
        if code < 0 and -code not in LATER:
            raise refusal(code, "io_uring_enter")
        return code >= 0

    def cancel(self, slot: int) -> bool:
        """Try to have an operation given up; whether that was begun. `reap` returns it too."""
        return bool(lib.gossamer_uring_cancel(self._ring, slot) == 0)

    def reap(self) -> list[Done]:
        """All operations that are done. Bounds: the depth. Raises: OSError."""
        return self._finished(lib.gossamer_uring_reap(self._ring, self._done, self.depth), "io_uring_enter")

    def close(self) -> None:
        """Wait until nothing is in flight, and release all. Closing twice is harmless."""
        if self._ring != ffi.NULL:
            lib.gossamer_uring_close(self._ring)
            self._ring = ffi.NULL
            self._release()
