"""What the kernel has been asked to do with memory and has not said to be done: slots, and an eventfd that
tells: it is written to whenever an operation is done, and whoever watches it edge-triggered need not read it.

Owns the chunks that the kernel may still read or write: each is kept until its slot is reaped. How the kernel
is asked, the contexts built on this know.

Source: eventfd(2).
"""

import errno
import os
import struct
from typing import Any, Final

from gossamer.ffi._aio import ffi
from gossamer.ffi.chunk import Chunk

COMPLETION: Final = struct.Struct("=Qq")
"""gossamer_aio_done, as C lays it out."""

Done = tuple[int, int]
"""A slot, and the number of bytes or -errno."""


class InFlight:
    """Up to `depth` operations in flight."""

    def __init__(self, depth: int) -> None:
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._depth = depth
        self._done: Any = ffi.new("gossamer_aio_done[]", depth)
        self._done_bytes: Any = ffi.buffer(self._done)
        self._free_slots = list(range(depth))
        self._chunks: dict[int, Chunk | None] = {}

    def __len__(self) -> int:
        return len(self._chunks)

    def _take_slot(self) -> int:
        """Raises: BlockingIOError when all are in flight."""
        if not self._free_slots:
            raise BlockingIOError(errno.EAGAIN, "all slots are in flight")
        return self._free_slots.pop()

    def _begun(self, slot: int, chunk: Chunk | None, code: int, what: str) -> int:
        """Note what became of asking the kernel; returns the slot. Raises: OSError for a negative code."""
        if code < 0:
            self._free_slots.append(slot)
            raise OSError(-code, f"{what}: {os.strerror(-code)}")
        self._chunks[slot] = chunk
        return slot

    def _finished(self, count: int, what: str) -> list[Done]:
        """The first `count` completions in `_done`, whose slots are free again.

        Raises: OSError for a negative count, which is an errno of `what`.
        """
        if count < 0:
            raise OSError(-count, f"{what}: {os.strerror(-count)}")
        finished: list[Done] = list(COMPLETION.iter_unpack(self._done_bytes[: count * COMPLETION.size]))
        for slot, _ in finished:
            del self._chunks[slot]
            self._free_slots.append(slot)
        return finished

    def _release(self) -> None:
        """The kernel is done with everything."""
        self._chunks.clear()
        os.close(self.eventfd)
