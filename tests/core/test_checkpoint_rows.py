"""Rows of checkpoints: whatever is left of a write, a row says what was whole before it, or the new."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.core.checkpoint_rows import (
    ALL_KEPT,
    CONTENT_BYTES_MAX,
    HEAD,
    HEAD_ROOM_BYTES,
    NOTE_BYTES_MAX,
    NOTHING_KEPT,
    STEM_KEPT,
    CheckpointRows,
    head_of,
    memory_bytes,
    read,
    rows_in,
    rows_of,
    slots_of,
    stem_of,
    write_slot,
)
from gossamer.ffi import _slot

STEM = stem_of(b"stem")
NOTE = b"note"


class TornMemory(bytearray):
    """A memory whose writer is killed after so many octets of one write."""

    left: int | None = None

    def __setitem__(self, place, octets):  # type: ignore[no-untyped-def]
        if self.left is None:
            return super().__setitem__(place, octets)
        count = min(self.left, len(octets))
        self.left -= count
        super().__setitem__(slice(place.start, place.start + count), octets[:count])
        return None


def torn(rows: int = 2) -> tuple[TornMemory, CheckpointRows]:
    memory = TornMemory(memory_bytes(rows))
    return memory, CheckpointRows(memory)  # type: ignore[arg-type]


def said(memory: bytearray) -> list[bytes]:
    found = list(rows_in(memoryview(memory)))
    assert all(each.note == NOTE for each in found)
    return [each.octets for each in found]


def slot_of(sequence: int, octets: bytes) -> bytes:
    return STEM.octets + octets + head_of(sequence, NOTE, STEM, octets)


def test_written__says_the_last() -> None:
    memory, rows = torn()
    first, second = rows.take(), rows.take()
    assert first is not None
    assert second is not None
    assert rows.take() is None
    for word in (b"one", b"two", b"three"):
        first.write(NOTE, STEM, word)
        second.write(NOTE, STEM, b"other " + word)
        assert said(memory) == [word, b"other " + word]
    assert rows.taken == 2
    rows.give_back(first)
    assert (said(memory), rows.taken, rows.take()) == ([b"other three"], 1, first)
    assert said(memory) == [b"other three"]
    first.write(NOTE, STEM, b"new")
    assert said(memory) == [b"new", b"other three"]


@settings(max_examples=15)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.binary(max_size=60))
def test_every_prefix_of_a_write__the_one_before_or_the_new_one(before: list[bytes], new: bytes) -> None:
    whole = len(slot_of(9, new))
    for prefix in range(whole + 1):
        memory, rows = torn(1)
        row = rows.take()
        assert row is not None
        for word in before:
            row.write(NOTE, STEM, word)
        memory.left = prefix
        row.write(NOTE, STEM, new)
        (word,) = said(memory)
        # What the memory had there already needs no writing: zeros, at first.
        assert word in (before[-1], new)
        assert word == new or prefix < whole
        assert word == before[-1] or prefix


def test_any_octets_of_a_head__the_one_before_or_the_new_one() -> None:
    """What a write makes current is its head, at last: whatever of it is written."""
    random = Random(5)
    octets, old, new = (
        b"an answer",
        head_of(2, b"ago!", STEM, b"an answer"),
        head_of(4, NOTE, STEM, b"an answer"),
    )
    for _ in range(2_000):
        mixed = bytes(random.choice(pair) for pair in zip(old, new, strict=True))
        found = read(mixed.ljust(HEAD_ROOM_BYTES, b"\0"), STEM.octets + octets)
        assert found is None or mixed in (old, new)


def test_given_back__in_every_part_of_it__says_nothing_or_its_last_word() -> None:
    for left in range(9):
        memory, rows = torn(1)
        row = rows.take()
        assert row is not None
        row.write(NOTE, STEM, b"before")
        row.write(NOTE, STEM, b"last")
        memory.left = left
        rows.give_back(row)
        assert said(memory) == [b"last"]


@given(st.binary(max_size=HEAD_ROOM_BYTES), st.binary(max_size=200))
def test_any_octets__are_a_checkpoint_or_none(head: bytes, content: bytes) -> None:
    found = read(head.ljust(HEAD_ROOM_BYTES, b"\0"), content)
    assert found is None or found.sequence


@given(st.integers(1, 20_000))
def test_layout__any_number_of_rows__none_overlaps_another(rows: int) -> None:
    size = memory_bytes(rows)
    assert rows_of(size) == rows
    first, last = slots_of(0, rows), slots_of(rows - 1, rows)
    assert {head % HEAD_ROOM_BYTES for head, _ in (*first, *last)} == {0}
    assert first[0][0] >= 8, "behind the count of rows"
    assert last[1][0] + HEAD_ROOM_BYTES <= first[0][1]
    assert last[1][1] + CONTENT_BYTES_MAX == size


def test_memory_of_a_liar__no_more_rows_than_there_are() -> None:
    memory = bytearray(memory_bytes(1))
    memory[:8] = b"\xff" * 8
    assert list(rows_in(memoryview(memory))) == []


def test_largest__finds_room() -> None:
    memory, rows = torn(1)
    row = rows.take()
    assert row is not None
    row.write(NOTE, STEM, bytes(CONTENT_BYTES_MAX - len(STEM.octets)))
    assert len(said(memory)[0]) == CONTENT_BYTES_MAX - len(STEM.octets)
    note = bytes(range(NOTE_BYTES_MAX))
    row.write(note, STEM, b"")
    assert [each.note for each in rows_in(memoryview(memory))] == [note]


@given(
    st.integers(1, 1 << 40),
    st.binary(max_size=300),
    st.integers(0, NOTE_BYTES_MAX),
    st.sampled_from([NOTHING_KEPT, STEM_KEPT, ALL_KEPT]),
    st.binary(max_size=2_000),
)
def test_written_in_c__the_same_octets(
    sequence: int, stem: bytes, note_bytes: int, kept: int, octets: bytes
) -> None:
    ours, theirs = bytearray(4_000), bytearray(4_000)
    about = (sequence, stem[:note_bytes], stem, stem_of(stem).checksum, kept, octets)
    write_slot(ours, 100, 301, *about)  # type: ignore[arg-type]
    _slot.write_slot(theirs, 100, 301, *about)
    assert ours == theirs


@pytest.mark.parametrize(
    ("head_at", "content_at", "note", "octets"),
    [
        *((0, 64, bytes(NOTE_BYTES_MAX + 1), b""), (0, 64, b"", bytes(37)), (37, 64, b"", b"")),
        *((-1, 64, b"", b""), (0, 101, b"", b""), (0, -1, b"", b"")),
    ],
)
def test_written_in_c__what_finds_no_room__is_an_error(
    head_at: int, content_at: int, note: bytes, octets: bytes
) -> None:
    memory = bytearray(100)
    with pytest.raises(ValueError, match=r"room|outside"):
        _slot.write_slot(memory, head_at, content_at, 1, note, b"", 0, NOTHING_KEPT, octets)
    assert not any(memory)


def test_same_octets_again__not_written__said_all_the_same() -> None:
    """Whatever was written in between, and until they are let go."""
    memory, rows = torn(1)
    row = rows.take()
    assert row is not None
    answer, other, stem = b"the same for all", b"another", stem_of(b"of a longer name")
    for note, of, octets in [
        *((NOTE, STEM, answer), (b"two!", STEM, answer), (b"tri!", STEM, answer), (b"four", stem, answer)),
        *((b"five", STEM, answer), (b"six!", stem, other), (b"sevn", stem, answer), (b"ate!", stem, answer)),
    ]:
        row.write(note, of, octets)
        (found,) = rows_in(memoryview(memory))
        assert (found.note, found.stem, found.octets) == (note, of.octets, octets)
    memory.left = HEAD.size + len(NOTE) + 4
    row.write(b"nine", stem, answer)
    (found,) = rows_in(memoryview(memory))
    assert (found.note, found.octets) == (b"nine", answer), "its head is all that was written"
    memory.left = HEAD.size + len(NOTE) + 4
    row.let_go()
    row.write(NOTE, stem, answer)
    (found,) = rows_in(memoryview(memory))
    assert found.note == b"nine", "it was written whole"
