"""io_uring: reads, writes and syncs of any descriptor that are begun together and told of by an eventfd.

Owns one ring. Who waits for what, it does not know.

Source: io_uring(7), io_uring_enter(2).
"""

import errno
import os
from typing import Final

from gossamer.ffi._aio import ffi, lib
from gossamer.ffi.chunk import Chunk
from gossamer.ffi.inflight import Done, InFlight

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

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        error = ffi.new("int *")
        self._ring = lib.gossamer_uring_open(depth, self.eventfd, error)
        if self._ring == ffi.NULL:
            os.close(self.eventfd)
            raise OSError(error[0], f"io_uring_setup: {os.strerror(error[0])}")

    def read(self, fd: int, chunk: Chunk, length: int, offset: int) -> int:
        """Queue filling the first `length` bytes of `chunk` from `offset` of `fd`; returns the slot that
        `reap` tells of.
        """
        return self._push(OP_READ, fd, chunk, chunk.address, length, offset)

    def write(self, fd: int, chunk: Chunk, length: int, offset: int) -> int:
        """Queue writing the first `length` bytes of `chunk` to `offset` of `fd`; returns the slot that
        `reap` tells of.
        """
        return self._push(OP_WRITE, fd, chunk, chunk.address, length, offset)

    def sync(self, fd: int) -> int:
        """Queue an fsync of `fd`; returns the slot that `reap` tells of."""
        return self._push(OP_FSYNC, fd, None, 0, 0, 0)

    def submit(self) -> bool:
        """Begin what is queued, in one system call; False when some of it has to be submitted again.

        Raises: OSError.
        """
        code = lib.gossamer_uring_submit(self._ring)
        if code < 0 and -code not in LATER:
            raise OSError(-code, f"io_uring_enter: {os.strerror(-code)}")
        return code >= 0

    def cancel(self, slot: int) -> bool:
        """Try to have an operation given up; whether that was begun. `reap` tells of it too."""
        return slot in self._chunks and lib.gossamer_uring_cancel(self._ring, slot) == 0

    def reap(self) -> list[Done]:
        """All operations that are done. Bounds: the depth. Raises: OSError."""
        return self._finished(lib.gossamer_uring_reap(self._ring, self._done, self._depth), "io_uring_enter")

    def close(self) -> None:
        """Wait until nothing is in flight, and release all. Closing twice is harmless."""
        if self._ring != ffi.NULL:
            lib.gossamer_uring_close(self._ring)
            self._ring = ffi.NULL
            self._release()

    def _push(self, opcode: int, fd: int, chunk: Chunk | None, address: int, length: int, offset: int) -> int:
        slot = self._take_slot()
        code = lib.gossamer_uring_push(self._ring, slot, opcode, fd, address, length, offset)
        if code < 0:
            return self._begun(slot, chunk, code, "io_uring")
        self._chunks[slot] = chunk
        return slot
