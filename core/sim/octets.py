"""A long stream of octets that nobody has to keep: any part of it can be computed at any time.

Owns the stream that bulk transfers send and compare with. It is a block of pseudo-random octets over and
over; the block's length is prime, so that octets that come out of place do not match.
"""

from random import Random
from typing import Final

BLOCK_BYTES: Final = 1_048_573


class Pattern:
    """The first `size_bytes` octets of the stream of a seed."""

    def __init__(self, size_bytes: int, seed: int = 0) -> None:
        block = Random(seed).randbytes(BLOCK_BYTES)
        self._size_bytes = size_bytes
        self._twice = block + block

    def __len__(self) -> int:
        return self._size_bytes

    def __getitem__(self, part: slice) -> bytes:
        start, stop = part.start, min(part.stop, self._size_bytes)
        if stop - start <= BLOCK_BYTES:
            offset = start % BLOCK_BYTES
            return self._twice[offset : offset + max(stop - start, 0)]
        return self[start : start + BLOCK_BYTES] + self[start + BLOCK_BYTES : stop]
