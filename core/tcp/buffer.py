"""Octet queues as values: a short tuple of immutable chunks and an offset into the first.

Nothing here joins or slices more than it hands out: dropping acknowledged octets from one large `bytes` would
copy the rest each time. Small chunks are coalesced, so that the number of chunks is bounded by the number of
bytes. In what is sent a chunk may be an extent of a file (`core.wire.text`), whose octets are not here at
all.

Bounds: no two neighbours would fit one chunk of COALESCE_BYTES together, nor are they one stretch of a file,
so that a queue of n bytes has at most 2 n / COALESCE_BYTES + 2 chunks (law 4), where extents are no shorter
than EXTENT_BYTES_MIN; the first may be what is left of one.
"""

from typing import TypeVar

from gossamer.core.tcp.constants import COALESCE_BYTES
from gossamer.core.wire.text import Extent, Part, Payload, Span, TextInParts

Chunk = TypeVar("Chunk", bytes, bytes | Extent)
Chunks = tuple[bytes, ...]
"""What was received."""
Sent = tuple[bytes | Extent, ...]
"""What is to be sent."""


def queued(chunks: Sent, data: bytes | Extent) -> Sent:
    """What is to be sent with `data` behind it. An offset into the first chunk stays right."""
    if chunks:
        last = chunks[-1]
        if isinstance(data, bytes):
            if isinstance(last, bytes) and len(last) + len(data) <= COALESCE_BYTES:
                return (*chunks[:-1], last + data)
        elif isinstance(last, Extent) and (data.file, data.offset) == (last.file, last.offset + last.length):
            return (*chunks[:-1], Extent(last.file, last.offset, last.length + data.length))
    return (*chunks, data)


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


def has_extent(chunks: Sent) -> bool:
    """Whether any of what is to be sent stands in a file."""
    for chunk in chunks:  # noqa: SIM110 - a generator for each request shows
        if isinstance(chunk, Extent):
            return True
    return False


def without_front(chunks: tuple[Chunk, ...], offset: int, count: int) -> tuple[tuple[Chunk, ...], int]:
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
        piece = chunk if not position and count >= size else chunk[position : position + count]
        count -= len(piece)
        if not count and not pieces:
            return piece
        pieces.append(piece)
        position = 0
        if not count:
            break
    return b"".join(pieces)


def text_at(chunks: Sent, offset: int, start: int, count: int, *, is_large: bool = False) -> Payload:
    """The same of what is to be sent: octets where these are in memory, unless `is_large` says that there are
    too many of them to be copied."""
    position = offset + start
    index = 0
    for chunk in chunks:
        size = len(chunk)
        if position < size:
            if position + count > size:
                break
            if isinstance(chunk, Extent):
                return TextInParts((Extent(chunk.file, chunk.offset + position, count),), count)
            if is_large and count < size:
                return TextInParts((Span(chunk, position, count),), count)
            return chunk if count == size else chunk[position : position + count]
        position -= size
        index += 1
    parts = _parts(chunks[index:], position, count)
    text = TextInParts(parts, sum(part.length for part in parts))
    return text if is_large or text.has_extent else bytes(text)


def _parts(chunks: Sent, position: int, count: int) -> tuple[Part, ...]:
    """The stretches that `count` octets from `position` on are of."""
    parts: list[Part] = []
    for chunk in chunks:
        length = min(len(chunk) - position, count)
        if isinstance(chunk, bytes):
            parts.append(Span(chunk, position, length))
        else:
            parts.append(chunk.part(position, length))
        position, count = 0, count - length
        if not count:
            break
    return tuple(parts)
