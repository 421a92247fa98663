"""Octet queues as values: a short tuple of immutable chunks and an offset into the first.

Nothing here joins or slices more than it hands out: dropping acknowledged octets from one large `bytes` would
copy the rest each time. Small chunks are coalesced, so that the number of chunks is bounded by the number of
bytes.

Bounds: no two neighbours would fit one chunk of COALESCE_BYTES together, so that a queue of n bytes has at
most 2 n / COALESCE_BYTES + 2 chunks (law 4).
"""

from gossamer.core.tcp.parameters import COALESCE_BYTES

Chunks = tuple[bytes, ...]


def appended(chunks: Chunks, data: bytes) -> Chunks:
    """The queue with `data` behind it. An offset into the first chunk stays right."""
    if chunks and len(chunks[-1]) + len(data) <= COALESCE_BYTES:
        return (*chunks[:-1], chunks[-1] + data)
    return (*chunks, data)


def concatenated(front: Chunks, back: Chunks) -> Chunks:
    """The queue of both, the chunks that meet coalesced when they are small."""
    if front and back and len(front[-1]) + len(back[0]) <= COALESCE_BYTES:
        return (*front[:-1], front[-1] + back[0], *back[1:])
    return front + back


def without_front(chunks: Chunks, offset: int, count: int) -> tuple[Chunks, int]:
    """The queue without its first `count` octets: (chunks, offset). There must be so many."""
    offset += count
    index = 0
    while index < len(chunks) and offset >= len(chunks[index]):
        offset -= len(chunks[index])
        index += 1
    return (chunks[index:], offset) if index else (chunks, offset)


def octets_at(chunks: Chunks, offset: int, start: int, count: int) -> bytes:
    """The `count` octets from `start` on (fewer when the queue ends), without a copy when they are one whole
    chunk."""
    position = offset + start
    pieces: list[bytes] = []
    for chunk in chunks:
        size = len(chunk)
        if position >= size:
            position -= size
            continue
        piece = chunk[position : position + count]
        count -= len(piece)
        if not count and not pieces:
            return piece
        pieces.append(piece)
        position = 0
        if not count:
            break
    return b"".join(pieces)
