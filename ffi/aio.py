"""The kernel's native AIO, with an eventfd that signals what is done.

Owns one AIO context. It reads only what is aligned for O_DIRECT, as everything else would block in io_submit.
It does not know who waits for what.

Source: io_submit(2), open(2) on O_DIRECT.
"""

import errno
import os

from gossamer.ffi._aio import ffi, lib
from gossamer.ffi.chunk import ALIGNMENT_BYTES
from gossamer.ffi.inflight import Done, InFlight, refusal


class AioContext(InFlight):
    """Up to `depth` reads in flight.

    Raises: OSError where the kernel has no AIO (ENOSYS) or no room for more (EAGAIN).
    """

    def __init__(self, depth: int, chunk_bytes: int) -> None:
        super().__init__(depth, chunk_bytes)
        error = ffi.new("int *")
        self._aio = lib.gossamer_aio_open(depth, self.eventfd, error)
        if self._aio == ffi.NULL:
            os.close(self.eventfd)
            raise OSError(error[0], f"io_setup, io_submit: {os.strerror(error[0])}")

    def read(self, slot: int, fd: int, length: int, offset: int) -> None:
        """Start to fill the first `length` bytes of the slot's chunk from `offset` of `fd`, opened with
        O_DIRECT.

        Raises: OSError (EAGAIN when the kernel has no room, EINVAL for what is not aligned).
        """
        if (offset | length) & (ALIGNMENT_BYTES - 1):
            raise OSError(errno.EINVAL, "offset and length must be aligned for O_DIRECT")
        code = lib.gossamer_aio_read(self._aio, slot, fd, self._addresses[slot], length, offset)
        if code < 0:
            raise refusal(code, "io_submit")

    def cancel(self, slot: int) -> bool:
        """Try to cancel a read, which few drivers can; whether that was begun. `reap` returns it too."""
        return bool(lib.gossamer_aio_cancel(self._aio, slot) == 0)

    def reap(self) -> list[Done]:
        """All reads that are done. Bounds: the depth. Raises: OSError."""
        return self._finished(lib.gossamer_aio_reap(self._aio, self._done, self.depth), "io_getevents")

    def close(self) -> None:
        """Wait until nothing is in flight, and release all. Closing twice is harmless."""
        if self._aio != ffi.NULL:
            lib.gossamer_aio_close(self._aio)
            self._aio = ffi.NULL
            self._release()
