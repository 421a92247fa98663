"""Rows of checkpoints in a memory that outlives its writer: each is found as it was last written whole.

    memory = how many rows were ever used | heads | contents        of each row two, and so two slots
    head   = sequence, lengths | note | checksum                     content = stem | octets

A write goes into the slot that is not the current one, and its head, at last, makes it current: so a
writer that is killed in the midst of it leaves the one before. The checksum is of head, note and stem; it
shows a head that is written in part. Of two slots whose checksum holds that of the higher sequence counts;
sequence 0 is no checkpoint. The stem of a checkpoint changes seldom: its checksum is computed once, and it is
not written again where it stands. Nor are octets that stand in that slot already, as those of an answer that
many are given. Then a head is all that is written, of one line of the processor's cache.

Owns the layout. It knows nothing of what a checkpoint says. Whatever stands in a memory is believed to be
octets and no more.

Bounds: NOTE_BYTES_MAX and CONTENT_BYTES_MAX a checkpoint, as many rows as the memory has room for.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from zlib import crc32

HEAD: Final = struct.Struct("=QHHI")
"""Of a slot."""
HEAD_BYTES: Final = HEAD.size
_SUM: Final = struct.Struct("=I")
HEAD_ROOM_BYTES: Final = 64
NOTE_BYTES_MAX: Final = HEAD_ROOM_BYTES - HEAD_BYTES - _SUM.size
CONTENT_BYTES_MAX: Final = 1 << 15
SLOTS: Final = 2
"""Of a row."""
PAGE_BYTES: Final = 4096
"""What stands before the heads, and a part of which the heads do not share with a content."""
EMPTY: Final = bytes(8)
"""The sequence of a slot without a checkpoint."""

_USED: Final = struct.Struct("=Q")


class Stem(NamedTuple):
    """What of a checkpoint changes seldom, with its checksum."""

    octets: bytes
    checksum: int


NO_STEM: Final = Stem(b"", 0)


class Checkpoint(NamedTuple):
    """What stands in a row."""

    sequence: int
    note: bytes
    stem: bytes
    octets: bytes


def stem_of(octets: bytes) -> Stem:
    """These octets as a stem."""
    return Stem(octets, crc32(octets))


def _contents_at(rows: int) -> int:
    """Where the first content stands."""
    pages = -(-rows * SLOTS * HEAD_ROOM_BYTES // PAGE_BYTES)
    return (1 + pages) * PAGE_BYTES


def memory_bytes(rows: int) -> int:
    """How large a memory of so many rows is."""
    return _contents_at(rows) + rows * SLOTS * CONTENT_BYTES_MAX


def rows_of(size_bytes: int) -> int:
    """How many rows a memory of that size has."""
    return max(size_bytes - PAGE_BYTES, 0) // (SLOTS * (HEAD_ROOM_BYTES + CONTENT_BYTES_MAX))


def slots_of(row: int, rows: int) -> tuple[tuple[int, int], ...]:
    """Where head and content of each slot of a row stand."""
    return tuple(
        (PAGE_BYTES + number * HEAD_ROOM_BYTES, _contents_at(rows) + number * CONTENT_BYTES_MAX)
        for number in range(row * SLOTS, (row + 1) * SLOTS)
    )


def head_of(sequence: int, note: bytes, stem: Stem, octets: bytes) -> bytes:
    """The head of a slot with this checkpoint, its note, and the checksum of both and the stem."""
    head = HEAD.pack(sequence, len(note), len(stem.octets), len(octets)) + note
    return head + _SUM.pack(crc32(head, stem.checksum))


def read(head: bytes | memoryview, content: bytes | memoryview) -> Checkpoint | None:
    """What stands in a slot; None where nothing whole does."""
    sequence, note_bytes, stem_bytes, octets_bytes = HEAD.unpack_from(head)
    note_end, end = HEAD_BYTES + note_bytes, stem_bytes + octets_bytes
    if not sequence or note_bytes > NOTE_BYTES_MAX or end > len(content):
        return None
    note, stem = bytes(head[HEAD_BYTES:note_end]), bytes(content[:stem_bytes])
    octets = bytes(content[stem_bytes:end])
    if head_of(sequence, note, stem_of(stem), octets) != head[: note_end + _SUM.size]:
        return None
    return Checkpoint(sequence, note, stem, octets)


def rows_in(memory: memoryview) -> Iterator[Checkpoint]:
    """The checkpoints that a writer has left: of each row the later of what stands whole in its slots."""
    rows = rows_of(len(memory))
    for row in range(min(_USED.unpack_from(memory)[0], rows)):
        found = [
            read(memory[head : head + HEAD_ROOM_BYTES], memory[content : content + CONTENT_BYTES_MAX])
            for head, content in slots_of(row, rows)
        ]
        whole = [checkpoint for checkpoint in found if checkpoint is not None]
        if whole:
            yield max(whole, key=lambda checkpoint: checkpoint.sequence)


NOTHING_KEPT: Final = 0
STEM_KEPT: Final = 1
ALL_KEPT: Final = 2
"""What of a checkpoint stands in its slot already: neither stem nor octets, the stem, or both."""


def write_slot(
    memory: memoryview,
    head_at: int,
    content_at: int,
    sequence: int,
    note: bytes,
    stem: bytes,
    checksum: int,
    kept: int,
    octets: bytes,
) -> None:
    """Write a checkpoint into a slot, whose parts stand there: as `ffi/src/slot.c` does it. The head is
    written at last."""
    if kept == NOTHING_KEPT:
        memory[content_at : content_at + len(stem)] = stem
    if octets and kept != ALL_KEPT:
        at = content_at + len(stem)
        memory[at : at + len(octets)] = octets
    head = head_of(sequence, note, Stem(stem, checksum), octets)
    memory[head_at : head_at + len(head)] = head


WriteSlot = Callable[[Any, int, int, int, bytes, bytes, int, int, bytes], None]


class CheckpointRow:
    """A row that is somebody's, and its one writer."""

    # One object, and not three: each is another line of the processor's cache, for each request.
    __slots__ = (
        "_content_at",
        "_head_at",
        "_memory",
        "_octets",
        "_other_content_at",
        "_other_head_at",
        "_other_octets",
        "_other_stem",
        "_sequence",
        "_stem",
        "_write_slot",
    )

    def __init__(self, memory: memoryview, slots: tuple[tuple[int, int], ...], write: WriteSlot) -> None:
        self._memory = memory
        self._write_slot = write
        self._sequence = 0
        # Not ints: native code would make an object of each, for each write.
        self._head_at: Any
        self._content_at: Any
        self._other_head_at: Any
        self._other_content_at: Any
        (self._head_at, self._content_at), (self._other_head_at, self._other_content_at) = slots
        """The slot that is written next, and the other one."""
        self._stem = self._other_stem = NO_STEM
        self._octets = self._other_octets = b""
        """What stands in the content of each."""

    def write(self, note: bytes, stem: Stem, octets: bytes) -> None:
        """Have it say this from now on. That must find room: NOTE_BYTES_MAX, CONTENT_BYTES_MAX."""
        kept = NOTHING_KEPT
        if self._stem is stem:
            kept = ALL_KEPT if self._octets is octets else STEM_KEPT
        self._sequence = sequence = self._sequence + 1
        head_at, content_at = self._head_at, self._content_at
        summed, checksum = stem
        self._write_slot(self._memory, head_at, content_at, sequence, note, summed, checksum, kept, octets)
        self._head_at, self._other_head_at = self._other_head_at, head_at
        self._content_at, self._other_content_at = self._other_content_at, content_at
        self._stem, self._other_stem = self._other_stem, stem
        self._octets, self._other_octets = self._other_octets, octets

    def let_go(self) -> None:
        """Keep nothing of the octets alive that were written."""
        self._octets = self._other_octets = b""

    def clear(self) -> None:
        """Have it say nothing any more. What it said before its last word goes first, so that this is never
        what it says."""
        self.let_go()
        for head_at in (self._head_at, self._other_head_at):
            self._memory[head_at : head_at + len(EMPTY)] = EMPTY


class CheckpointRows:
    """The rows of a memory that is empty at first."""

    def __init__(self, memory: memoryview, write: WriteSlot = write_slot) -> None:
        self._memory = memory
        self._write_slot = write
        self._rows = rows_of(len(memory))
        self._used = 0
        self._free: list[CheckpointRow] = []

    @property
    def taken(self) -> int:
        """Rows that are somebody's."""
        return self._used - len(self._free)

    def take(self) -> CheckpointRow | None:
        """A row that is nobody's; None where there is none."""
        if self._free:
            return self._free.pop()
        if self._used == self._rows:
            return None
        slots = slots_of(self._used, self._rows)
        self._used += 1
        _USED.pack_into(self._memory, 0, self._used)
        return CheckpointRow(self._memory, slots, self._write_slot)

    def give_back(self, row: CheckpointRow) -> None:
        """Have a row say nothing any more, and be nobody's."""
        row.clear()
        self._free.append(row)
