"""The kernel's native AIO, told of by an eventfd.

Owns one AIO context, its eventfd, and the chunks that the kernel may still write into: they are kept here
until the kernel says that it is done. It reads only what is aligned for O_DIRECT, as everything else would
block in io_submit; who waits for what, it does not know.

Source: io_submit(2), eventfd(2), open(2) on O_DIRECT.
"""

import errno
import os
from typing import Any, Final

from gossamer.ffi._aio import ffi, lib
from gossamer.ffi.chunk import ALIGNMENT_BYTES, Chunk

REAP_MAX: Final = 64
"""Completions taken from the kernel at once."""


class AioContext:
    """Up to `depth` reads in flight.

    Raises: OSError where the kernel has no AIO (ENOSYS) or no room for more (EAGAIN).
    """

    def __init__(self, depth: int) -> None:
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        error = ffi.new("int *")
        self._aio = lib.gossamer_aio_open(depth, self.eventfd, error)
        if self._aio == ffi.NULL:
            os.close(self.eventfd)
            raise OSError(error[0], f"io_setup: {os.strerror(error[0])}")
        self._done: Any = ffi.new("gossamer_aio_done[]", REAP_MAX)
        self._free_slots = list(range(depth))
        self._in_flight: dict[int, Chunk] = {}

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def has_room(self) -> bool:
        """Whether another read can be submitted."""
        return bool(self._free_slots)

    def read(self, fd: int, chunk: Chunk, offset: int) -> int:
        """Start to fill `chunk` at `offset` of `fd`, opened with O_DIRECT; returns the slot `reap` tells of.

        Raises: OSError (EAGAIN when the kernel has no room, EINVAL for what is not aligned).
        """
        if (offset | len(chunk) | chunk.address) & (ALIGNMENT_BYTES - 1):
            raise OSError(errno.EINVAL, "offset, length and address must be aligned for O_DIRECT")
        if not self._free_slots:
            raise BlockingIOError(errno.EAGAIN, "all slots of the AIO context are in flight")
        slot = self._free_slots.pop()
        code = lib.gossamer_aio_read(self._aio, slot, fd, chunk.address, len(chunk), offset)
        if code < 0:
            self._free_slots.append(slot)
            raise OSError(-code, f"io_submit: {os.strerror(-code)}")
        self._in_flight[slot] = chunk
        return slot

    def cancel(self, slot: int) -> bool:
        """Try to cancel a read, which few drivers can; whether that was begun. `reap` tells of it too."""
        return slot in self._in_flight and lib.gossamer_aio_cancel(self._aio, slot) == 0

    def reap(self) -> list[tuple[int, Chunk, int]]:
        """The reads that are done, as (slot, chunk, bytes read or -errno).

        Bounds: at most REAP_MAX, so ask until there are none.
        """
        got = lib.gossamer_aio_reap(self._aio, self._done, REAP_MAX)
        if got < 0:
            raise OSError(-got, f"io_getevents: {os.strerror(-got)}")
        finished = []
        for index in range(got):
            slot = int(self._done[index].slot)
            finished.append((slot, self._in_flight.pop(slot), int(self._done[index].result)))
            self._free_slots.append(slot)
        return finished

    def acknowledge(self) -> None:
        """Reset the eventfd; call it before `reap`, so that nothing done in between is missed."""
        try:
            os.eventfd_read(self.eventfd)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Wait until nothing is in flight, and release all. Closing twice is harmless."""
        if self._aio == ffi.NULL:
            return
        lib.gossamer_aio_close(self._aio)
        self._aio = ffi.NULL
        self._in_flight.clear()
        os.close(self.eventfd)
