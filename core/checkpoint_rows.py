"""Rows of checkpoints in a memory that outlives its writer: each is found as it was last written whole.

    memory = how many rows were ever used | row | row ...        row = slot | slot
    slot   = head: sequence, lengths | note | checksum | stem | octets

A write goes into the slot that is not the current one, and its head, at last, makes it current: so a
writer that is killed in the midst of it leaves the one before. The checksum is of head, note and stem; it
shows a head that is written in part. Of two slots whose checksum holds that of the higher sequence counts;
sequence 0 is no checkpoint. The stem of a checkpoint changes seldom: its checksum is computed once, and it is
not written again where it stands.

Owns the layout. It knows nothing of what a checkpoint says. Whatever stands in a memory is believed to be
octets and no more.

Bounds: SLOT_BYTES a checkpoint, as many rows as the memory has room for.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from zlib import crc32

HEAD: Final = struct.Struct("=QHHI")
"""Of a slot."""
HEAD_BYTES: Final = HEAD.size
_SUM: Final = struct.Struct("=I")
SLOT_BYTES: Final = 1 << 15
ROW_BYTES: Final = 2 * SLOT_BYTES
PREFACE_BYTES: Final = 4096
"""What stands before the first row: a page, so that rows begin with one."""
CONTENT_BYTES_MAX: Final = SLOT_BYTES - HEAD_BYTES - _SUM.size
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


def memory_bytes(rows: int) -> int:
    """How large a memory of so many rows is."""
    return PREFACE_BYTES + rows * ROW_BYTES


def head_of(sequence: int, note: bytes, stem: Stem, octets: bytes) -> bytes:
    """The head of a slot with this checkpoint, its note, and the checksum of both and the stem."""
    head = HEAD.pack(sequence, len(note), len(stem.octets), len(octets)) + note
    return head + _SUM.pack(crc32(head, stem.checksum))


def read(slot: bytes | memoryview) -> Checkpoint | None:
    """What stands in a slot; None where nothing whole does."""
    sequence, note_bytes, stem_bytes, octets_bytes = HEAD.unpack_from(slot)
    note_end = HEAD_BYTES + note_bytes
    stem_at = note_end + _SUM.size
    octets_at = stem_at + stem_bytes
    end = octets_at + octets_bytes
    if not sequence or end > len(slot):
        return None
    note, stem = bytes(slot[HEAD_BYTES:note_end]), bytes(slot[stem_at:octets_at])
    octets = bytes(slot[octets_at:end])
    if head_of(sequence, note, stem_of(stem), octets) != slot[:stem_at]:
        return None
    return Checkpoint(sequence, note, stem, octets)


def current(row: memoryview) -> Checkpoint | None:
    """What a row says: the later of what stands whole in its slots."""
    slots = (read(row[:SLOT_BYTES]), read(row[SLOT_BYTES:ROW_BYTES]))
    return max((slot for slot in slots if slot is not None), default=None, key=lambda slot: slot.sequence)


def rows_in(memory: memoryview) -> Iterator[Checkpoint]:
    """The checkpoints that a writer has left."""
    there = (len(memory) - PREFACE_BYTES) // ROW_BYTES
    for number in range(min(_USED.unpack_from(memory)[0], there)):
        begin = PREFACE_BYTES + number * ROW_BYTES
        found = current(memory[begin : begin + ROW_BYTES])
        if found is not None:
            yield found


def write_slot(
    memory: memoryview,
    begin: int,
    sequence: int,
    note: bytes,
    stem: bytes,
    checksum: int,
    is_there: bool,
    octets: bytes,
) -> None:
    """Write a checkpoint into a slot, which begins at `begin`: as `ffi/src/slot.c` does it. `is_there` says
    that its stem stands there already. The head is written at last."""
    head = head_of(sequence, note, Stem(stem, checksum), octets)
    at = begin + len(head)
    if not is_there:
        memory[at : at + len(stem)] = stem
    if octets:
        at += len(stem)
        memory[at : at + len(octets)] = octets
    memory[begin : begin + len(head)] = head


WriteSlot = Callable[[Any, int, int, bytes, bytes, int, bool, bytes], None]


class CheckpointRow:
    """A row that is somebody's, and its one writer."""

    __slots__ = ("_begin", "_even", "_memory", "_odd", "_sequence", "_write_slot")

    def __init__(self, memory: memoryview, begin: int, write: WriteSlot) -> None:
        self._memory = memory
        self._begin = begin
        self._write_slot = write
        self._sequence = 0
        self._even = self._odd = NO_STEM
        """The stems that stand in its slots."""

    def write(self, note: bytes, stem: Stem, octets: bytes) -> None:
        """Have it say this from now on. That must find room: CONTENT_BYTES_MAX. Notes are of one length."""
        self._sequence = sequence = self._sequence + 1
        if sequence & 1:
            begin, is_there, self._odd = self._begin + SLOT_BYTES, self._odd is stem, stem
        else:
            begin, is_there, self._even = self._begin, self._even is stem, stem
        self._write_slot(self._memory, begin, sequence, note, stem[0], stem[1], is_there, octets)

    def clear(self) -> None:
        """Have it say nothing any more. What it said before its last word goes first, so that this is never
        what it says."""
        last = self._sequence & 1
        for slot in (1 - last, last):
            at = self._begin + slot * SLOT_BYTES
            self._memory[at : at + len(EMPTY)] = EMPTY


class CheckpointRows:
    """The rows of a memory that is empty at first."""

    def __init__(self, memory: memoryview, write: WriteSlot = write_slot) -> None:
        self._memory = memory
        self._write_slot = write
        self._left = (len(memory) - PREFACE_BYTES) // ROW_BYTES
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
        if not self._left:
            return None
        begin = PREFACE_BYTES + self._used * ROW_BYTES
        self._left, self._used = self._left - 1, self._used + 1
        _USED.pack_into(self._memory, 0, self._used)
        return CheckpointRow(self._memory, begin, self._write_slot)

    def give_back(self, row: CheckpointRow) -> None:
        """Have a row say nothing any more, and be nobody's."""
        row.clear()
        self._free.append(row)
