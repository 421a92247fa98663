"""Texts in stretches, against plain octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.cutting import cut
from gossamer.core.wire.segment import ACK, PSH, Segment
from gossamer.core.wire.text import NO_FILE, Extent, Part, Span, TextInParts, octets_of, part_of

FILE = bytes(range(256)) * 8
STRETCHES = st.lists(st.tuples(st.booleans(), st.integers(0, 1_000), st.integers(1, 1_000)), max_size=6)


def read(extent: Extent) -> bytes:
    return FILE[extent.offset : extent.offset + extent.length]


def made(stretches: list[tuple[bool, int, int]]) -> tuple[TextInParts, bytes]:
    """A text, and its octets."""
    parts: list[Part] = [
        Extent(7, start, length) if is_of_file else Span(FILE[::-1], start, length)
        for is_of_file, start, length in stretches
    ]
    octets = b"".join((FILE if of_file else FILE[::-1])[at : at + size] for of_file, at, size in stretches)
    return TextInParts(tuple(parts), len(octets)), octets


@given(stretches=STRETCHES, start=st.integers(0, 3_000), count=st.integers(0, 3_000))
def test_part__of_any_text__as_of_its_octets(
    stretches: list[tuple[bool, int, int]], start: int, count: int
) -> None:
    text, octets = made(stretches)
    assert (len(text), text.resolved(read)) == (len(octets), octets)
    start = min(start, len(text))
    part = part_of(text, start, count)
    assert len(part) == len(octets[start : start + count])
    resolved = part if isinstance(part, bytes) else part.resolved(read)
    assert resolved == octets[start : start + count] == part_of(octets, start, count)


def test_octets__of_a_text_in_memory_only() -> None:
    text = TextInParts((Span(b"abcdef", 1, 2), Span(b"xyz", 0, 3)), 5)
    assert octets_of(text) == bytes(text) == b"bcxyz"
    assert octets_of(b"as it is") == b"as it is"
    with pytest.raises(TypeError, match="in its file"):
        octets_of(TextInParts((Extent(1, 2, 3),), 3))


def test_file__says_what_a_stretch_is_of() -> None:
    assert (Span(b"x", 0, 1).file, Extent(3, 0, 1).file) == (NO_FILE, 3)
    assert NO_FILE < 0


def test_cut__super_segment_of_a_file__its_pieces_name_their_part() -> None:
    whole = Segment(100, 1, ACK | PSH, 2, payload=TextInParts((Extent(1, 1_000, 250),), 250), cut_bytes=100)
    assert [(piece.seq, piece.flags, piece.payload) for piece in cut(whole)] == [
        (100, ACK, TextInParts((Extent(1, 1_000, 100),), 100)),
        (200, ACK, TextInParts((Extent(1, 1_100, 100),), 100)),
        (300, ACK | PSH, TextInParts((Extent(1, 1_200, 50),), 50)),
    ]
