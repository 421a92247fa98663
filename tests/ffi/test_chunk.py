"""Chunks are aligned, share memory with their slices, and live as long as one of them does."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.ffi._aio import ffi
from gossamer.ffi.chunk import ALIGNMENT_BYTES, Chunk, Slots, align_up


@given(st.integers(0, 1 << 62))
def test_align_up__nearest_multiple(n: int) -> None:
    assert align_up(n) % ALIGNMENT_BYTES == 0
    assert 0 <= align_up(n) - n < ALIGNMENT_BYTES


def at(address: int, length: int) -> bytes:
    """What C code sees at an address."""
    return bytes(ffi.buffer(ffi.cast("char *", address), length))


def test_allocate__zeroed_aligned_rounded_up() -> None:
    chunk = Chunk.allocate(5000)
    assert len(chunk) == align_up(5000)
    assert chunk.address % ALIGNMENT_BYTES == 0
    assert at(chunk.address, len(chunk)) == bytes(len(chunk))


@pytest.mark.parametrize("length", [0, -1])
def test_allocate__no_length__refused(length: int) -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Chunk.allocate(length)


def test_allocate__more_than_there_is__memory_error() -> None:
    with pytest.raises(MemoryError):
        Chunk.allocate(1 << 60)


def test_slice__same_memory_at_its_address() -> None:
    chunk = Chunk.allocate(8192)
    part = chunk.slice(4096, 4106)
    part.view[:] = b"0123456789"
    assert bytes(chunk.view[4095:4107]) == b"\x000123456789\x00"
    assert at(part.address, 10) == b"0123456789"
    assert bytes(part.slice(3, 5).view) == b"34"


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 4097)])
def test_slice__outside__refused(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="slice"):
        Chunk.allocate(4096).slice(start, stop)


def test_slice__outlives_its_chunk() -> None:
    part = Chunk.allocate(4096).slice(10, 15)
    part.view[:] = b"alive"
    gc.collect()
    assert at(part.address, 5) == b"alive"


def test_slots__each_has_memory_of_its_own__the_last_given_back_is_taken_first() -> None:
    slots = Slots(3, 5000)
    assert [len(chunk) for chunk in slots.chunks] == [align_up(5000)] * 3
    for number, chunk in enumerate(slots.chunks):
        assert chunk.address % ALIGNMENT_BYTES == 0
        chunk.view[:] = bytes([number]) * len(chunk)
    assert [set(chunk.view) for chunk in slots.chunks] == [{0}, {1}, {2}]
    assert (len(slots), len(slots.free)) == (0, 3)
    taken = [slots.free.pop() for _ in range(3)]
    assert (len(slots), slots.free) == (3, [])
    slots.free.append(taken[1])
    assert len(slots) == 2
    assert slots.free.pop() == taken[1]
