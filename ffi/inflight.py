"""Operations on memory that the kernel was asked for and has not finished: slots, and an eventfd. The eventfd
is written to whenever an operation is done; whoever watches it edge-triggered need not read it.

Owns the memory that the kernel reads and writes. The contexts built on this know how the kernel is asked.

Source: eventfd(2).
"""

import os
import struct
from typing import Any, Final

from gossamer.ffi._aio import ffi
from gossamer.ffi.chunk import Slots

COMPLETION: Final = struct.Struct("=Qq")
"""gossamer_aio_done, as C lays it out."""

Done = tuple[int, int]
"""A slot, and the number of bytes or -errno."""


class InFlight(Slots):
    """Up to `depth` operations in flight, each in a slot that its caller has taken, with the first bytes of
    the slot's chunk for its memory. A slot is given back after `reap` has returned it.
    """

    def __init__(self, depth: int, chunk_bytes: int) -> None:
        super().__init__(depth, chunk_bytes)
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._addresses = tuple(chunk.address for chunk in self.chunks)
        self._done: Any = ffi.new("gossamer_aio_done[]", depth)
        self._done_bytes: Any = ffi.buffer(self._done)

    def _finished(self, count: int, what: str) -> list[Done]:
        """The first `count` completions in `_done`.

        Raises: OSError for a negative count, which is an errno of `what`.
        """
        if count < 0:
            raise refusal(count, what)
        return list(COMPLETION.iter_unpack(self._done_bytes[: count * COMPLETION.size]))

    def _release(self) -> None:
        """The kernel is done with everything."""
        self.free[:] = range(self.depth)
        os.close(self.eventfd)


def refusal(code: int, what: str) -> OSError:
    """What C answers as -errno."""
    return OSError(-code, f"{what}: {os.strerror(-code)}")
