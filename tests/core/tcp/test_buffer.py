"""Octet queues against plain bytes, and their bound in chunks."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.tcp.buffer import Sent, appended, concatenated, octets_at, queued, text_at, without_front
from gossamer.core.tcp.constants import COALESCE_BYTES, EXTENT_BYTES_MIN
from gossamer.core.wire.text import Extent, TextInParts

SIZES = st.lists(st.sampled_from((1, 2, 100, 4_000, 5_000, 20_000)), min_size=1, max_size=30)


@given(sizes=SIZES, cuts=st.lists(st.integers(0, 9_000), max_size=8))
def test_append_drop_peek__as_plain_bytes(sizes: list[int], cuts: list[int]) -> None:
    chunks, offset, plain = (), 0, b""
    for number, size in enumerate(sizes):
        data = bytes((number + at) & 0xFF for at in range(size))
        chunks, plain = appended(chunks, data), plain + data
    for cut in cuts:
        count = min(cut, len(plain))
        chunks, offset = without_front(chunks, offset, count)
        plain = plain[count:]
        assert b"".join(chunks)[offset:] == plain
        assert octets_at(chunks, offset, cut // 2, 3_000) == plain[cut // 2 : cut // 2 + 3_000]


@given(first=SIZES, second=SIZES)
def test_concat__few_chunks_however_small_the_pieces(first: list[int], second: list[int]) -> None:
    front: tuple[bytes, ...] = ()
    back: tuple[bytes, ...] = ()
    for size in first:
        front = appended(front, b"f" * size)
    for size in second:
        back = appended(back, b"b" * size)
    both = concatenated(front, back)
    total = sum(first) + sum(second)
    assert b"".join(both) == b"f" * sum(first) + b"b" * sum(second)
    assert len(both) <= 2 * total / COALESCE_BYTES + 2


def test_peek__a_whole_chunk__is_not_copied() -> None:
    chunk = b"c" * 5_000
    assert octets_at((b"x" * 5_000, chunk), 0, 5_000, 5_000) is chunk


FILE = bytes(range(251)) * 4_000


def read(extent: Extent) -> bytes:
    return FILE[extent.offset : extent.offset + extent.length]


@given(
    sizes=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(4_096, 50_000)), max_size=12),
    cuts=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 60_000), st.booleans()), max_size=8),
)
def test_queue_of_octets_and_extents__as_plain_bytes(
    sizes: list[tuple[bool, int, int]], cuts: list[tuple[int, int, bool]]
) -> None:
    chunks: Sent = ()
    offset, plain, at = 0, b"", 0
    for is_of_file, gap, size in sizes:
        at += gap
        data = Extent(1, at, size) if is_of_file else FILE[at : at + size]
        chunks, plain, at = queued(chunks, data), plain + FILE[at : at + size], at + size
    for start, count, is_large in cuts:
        count = min(count, max(len(plain) - start, 0))
        if count:
            text = text_at(chunks, offset, start, count, is_large=is_large)
            octets = text.resolved(read) if isinstance(text, TextInParts) else text
            assert octets == plain[start : start + count]
            assert len(text) == count
        chunks, offset = without_front(chunks, offset, min(start, len(plain)))
        plain = plain[start:]


@given(sizes=st.lists(st.tuples(st.booleans(), st.integers(0, 1)), max_size=60))
def test_extents__few_chunks_however_they_come(sizes: list[tuple[bool, int]]) -> None:
    chunks: Sent = ()
    total = at = 0
    for is_of_file, gap in sizes:
        at += gap
        size = EXTENT_BYTES_MIN if is_of_file else 1
        chunks = queued(chunks, Extent(1, at, size) if is_of_file else b"x")
        at, total = at + size, total + size
    assert len(chunks) <= 2 * total / COALESCE_BYTES + 2


def test_extents__that_follow_each_other__are_one() -> None:
    chunks = queued(queued((), Extent(1, 0, 5_000)), Extent(1, 5_000, 5_000))
    assert chunks == (Extent(1, 0, 10_000),)
    assert len(queued(chunks, Extent(2, 10_000, 5_000))) == 2
    assert len(queued(chunks, Extent(1, 10_001, 5_000))) == 2


def test_large_octets__are_not_copied() -> None:
    chunk = bytes(100_000)
    text = text_at((chunk,), 0, 10, 50_000, is_large=True)
    assert isinstance(text, TextInParts)
    assert [(part.chunk is chunk, part.start, part.length) for part in text.parts] == [(True, 10, 50_000)]
    assert text_at((chunk,), 0, 0, 100_000, is_large=True) is chunk
