"""The text of a segment that goes, where it is not octets: spans of what stands elsewhere.

Owns two values. An extent is a stretch of a file, of which only the number is known here: whoever emits the
segment has the file open, and reads it then. A text is several stretches of memory or of files in a row; it
stands in a segment in place of `bytes`, has a length as they do, and costs nothing to make of what is large.
Nothing here reads a file.
"""

from collections.abc import Callable
from typing import Final

import msgspec

NO_FILE: Final = -1
"""In place of the number of a file: octets in memory."""


class Extent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stretch of a file: what stands in a send buffer in place of its octets.

    >>> from gossamer.tcp import Extent
    >>> whole = Extent(1, 4096, 1000)
    >>> len(whole), whole.part(10, 5)
    (1000, Extent(file=1, offset=4106, length=5))
    """

    file: int
    """Which file: a number that whoever sends it has given to the open file."""
    offset: int
    """Where it begins in the file."""
    length: int

    def __len__(self) -> int:
        return self.length

    def part(self, start: int, count: int) -> "Extent":
        """So many octets from `start` on; there must be so many."""
        return Extent(self.file, self.offset + start, count)


class Span(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stretch of octets in memory, not copied."""

    chunk: bytes
    start: int
    length: int

    @property
    def file(self) -> int:
        """None: it stands in memory."""
        return NO_FILE

    def part(self, start: int, count: int) -> "Span":
        """So many octets from `start` on; there must be so many."""
        return Span(self.chunk, self.start + start, count)

    def __bytes__(self) -> bytes:
        return self.chunk[self.start : self.start + self.length]


Part = Span | Extent
Read = Callable[[Extent], bytes]


class TextInParts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Stretches in a row."""

    parts: tuple[Part, ...]
    length: int
    """Of all of them together."""

    def __len__(self) -> int:
        return self.length

    def part(self, start: int, count: int) -> "TextInParts":
        """So many octets from `start` on; there must be so many."""
        taken: list[Part] = []
        wanted = count
        for part in self.parts:
            if start >= part.length:
                start -= part.length
                continue
            size = min(part.length - start, wanted)
            taken.append(part.part(start, size))
            start, wanted = 0, wanted - size
            if not wanted:
                break
        return TextInParts(tuple(taken), count)

    @property
    def has_extent(self) -> bool:
        """Whether any of it stands in a file."""
        return any(isinstance(part, Extent) for part in self.parts)

    def resolved(self, read: Read) -> bytes:
        """Its octets, those of files as `read` gives them."""
        return b"".join([bytes(part) if isinstance(part, Span) else read(part) for part in self.parts])

    def __bytes__(self) -> bytes:
        """Its octets, where none of them are of a file."""
        return self.resolved(_unreadable)


Payload = bytes | TextInParts
"""The text of a segment; of one that came, always octets."""


def octets_of(payload: Payload) -> bytes:
    """The octets of a text in memory."""
    return payload if isinstance(payload, bytes) else bytes(payload)


def part_of(payload: Payload, start: int, count: int) -> Payload:
    """So many octets of a text from `start` on, fewer where it ends; as octets where they are in memory."""
    if isinstance(payload, bytes):
        return payload[start : start + count]
    part = payload.part(start, min(count, payload.length - start))
    return part if part.has_extent else bytes(part)


def _unreadable(extent: Extent) -> bytes:
    raise TypeError(f"the octets of {extent} are in its file: whoever emits the segment has them")
