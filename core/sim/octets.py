"""A long stream of octets that nobody has to keep: any part of it can be told at any time.

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
        start, stop, _ = part.indices(self._size_bytes)
        pieces = []
        while start < stop:
            offset = start % BLOCK_BYTES
            count = min(stop - start, BLOCK_BYTES)
            pieces.append(self._twice[offset : offset + count])
            start += count
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
