"""Chunks: aligned memory that the kernel reads and writes in place, and slices of it.

Owns the memory and its address. It does not know what is in it. A slice shares the memory of its chunk and
keeps it alive, so that a buffer handed to the kernel or to C code is never freed under it.

Source: the IOLib/Chunk of Li and Zdancewic, PLDI 2007; open(2), O_DIRECT, for the alignment.
"""

import mmap
from typing import Final

from gossamer.ffi._aio import ffi

ALIGNMENT_BYTES: Final = mmap.PAGESIZE
"""Every chunk begins at a multiple of it; enough for O_DIRECT on any device whose blocks fit in a page."""


def align_up(n: int) -> int:
    """The smallest multiple of ALIGNMENT_BYTES that is not below n."""
    return (n + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES


class Chunk:
    """A range of memory with a fixed address. `view` is its bytes, to read and to write."""

    __slots__ = ("address", "length", "view")

    def __init__(self, view: memoryview, address: int) -> None:
        self.view = view
        self.address = address
        self.length = len(view)

    @classmethod
    def allocate(cls, length: int) -> "Chunk":
        """A chunk of `length` zero bytes, rounded up to whole pages. Raises: ValueError, MemoryError."""
        if length <= 0:
            raise ValueError(f"a chunk has at least one byte, not {length}")
        try:
            memory = mmap.mmap(-1, align_up(length), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(f"no memory for a chunk of {length} bytes") from error
        # The pointer is not kept: a memoryview keeps the mapping, and mappings never move.
        address = int(ffi.cast("uintptr_t", ffi.from_buffer("char[]", memory)))
        return cls(memoryview(memory), address)

    def __len__(self) -> int:
        return self.length

    def slice(self, start: int, stop: int) -> "Chunk":
        """The bytes from start up to stop, in the same memory. Raises: ValueError outside the chunk."""
        if not 0 <= start <= stop <= len(self.view):
            raise ValueError(f"slice {start}:{stop} of a chunk of {len(self.view)} bytes")
        return Chunk(self.view[start:stop], self.address + start)


class Slots:
    """Places for operations: a chunk of memory in each, that is used again and again.

    Who takes a slot from `free` gives it back there, once nobody reads or writes its chunk any more; the last
    one given back is taken first, as the processor may still have it at hand. Bounds: `depth` slots.
    Raises: ValueError, MemoryError.
    """

    def __init__(self, depth: int, chunk_bytes: int) -> None:
        self.depth = depth
        self.free = list(range(depth))
        stride = align_up(chunk_bytes)
        # One mapping: pages that nobody has written yet take no memory.
        memory = Chunk.allocate(depth * stride)
        self.chunks = tuple(memory.slice(slot * stride, (slot + 1) * stride) for slot in range(depth))

    def __len__(self) -> int:
        """How many are taken."""
        return self.depth - len(self.free)
