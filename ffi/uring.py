"""io_uring: reads, writes and syncs of any descriptor that are begun together and told of by an eventfd.

Owns one ring, its eventfd, and the chunks that the kernel may still read or write: they are kept here until
the kernel says that it is done. Who waits for what, it does not know.

Source: io_uring(7), io_uring_enter(2), eventfd(2).
"""

import errno
import os
from typing import Any, Final

from gossamer.ffi._aio import ffi, lib
from gossamer.ffi.chunk import Chunk

REAP_MAX: Final = 256
"""Completions taken at once."""

LATER: Final = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR})
"""The kernel has no room just now."""

OP_FSYNC: Final = 3
OP_READ: Final = 22
OP_WRITE: Final = 23
"""Numbers of linux/io_uring.h."""


class UringContext:
    """Up to `depth` operations in flight.

    Raises: OSError where the kernel or its administrator has no io_uring for us (ENOSYS, EPERM, ENOMEM).
    """

    def __init__(self, depth: int) -> None:
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        error = ffi.new("int *")
        self._ring = lib.gossamer_uring_open(depth, self.eventfd, error)
        if self._ring == ffi.NULL:
            os.close(self.eventfd)
            raise OSError(error[0], f"io_uring_setup: {os.strerror(error[0])}")
        self._done: Any = ffi.new("gossamer_aio_done[]", REAP_MAX)
        self._free_slots = list(range(depth))
        self._in_flight: dict[int, Chunk | None] = {}

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def has_room(self) -> bool:
        """Whether another operation can be queued."""
        return bool(self._free_slots)

    def read(self, fd: int, chunk: Chunk, offset: int) -> int:
        """Queue filling `chunk` from `offset` of `fd`; returns the slot that `reap` tells of."""
        return self._push(OP_READ, fd, chunk, offset)

    def write(self, fd: int, chunk: Chunk, offset: int) -> int:
        """Queue writing `chunk` to `offset` of `fd`; returns the slot that `reap` tells of."""
        return self._push(OP_WRITE, fd, chunk, offset)

    def sync(self, fd: int) -> int:
        """Queue an fsync of `fd`; returns the slot that `reap` tells of."""
        return self._push(OP_FSYNC, fd, None, 0)

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
        return slot in self._in_flight and lib.gossamer_uring_cancel(self._ring, slot) == 0

    def reap(self) -> list[tuple[int, int]]:
        """The operations that are done, as (slot, bytes or -errno).

        Bounds: at most REAP_MAX, so ask until there are none.
        """
        done = self._done
        finished = []
        for index in range(lib.gossamer_uring_reap(self._ring, done, REAP_MAX)):
            slot = int(done[index].slot)
            del self._in_flight[slot]
            self._free_slots.append(slot)
            finished.append((slot, int(done[index].result)))
        return finished

    def acknowledge(self) -> None:
        """Reset the eventfd; call it before `reap`, so that nothing done in between is missed."""
        try:
            os.eventfd_read(self.eventfd)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Wait until nothing is in flight, and release all. Closing twice is harmless."""
        if self._ring == ffi.NULL:
            return
        lib.gossamer_uring_close(self._ring)
        self._ring = ffi.NULL
        self._in_flight.clear()
        os.close(self.eventfd)

    def _push(self, opcode: int, fd: int, chunk: Chunk | None, offset: int) -> int:
        if not self._free_slots:
            raise BlockingIOError(errno.EAGAIN, "all slots of the ring are in flight")
        slot = self._free_slots.pop()
        address, length = (chunk.address, len(chunk)) if chunk is not None else (0, 0)
        code = lib.gossamer_uring_push(self._ring, slot, opcode, fd, address, length, offset)
        if code < 0:
            self._free_slots.append(slot)
            raise OSError(-code, f"io_uring: {os.strerror(-code)}")
        self._in_flight[slot] = chunk
        return slot
