"""Octet queues against plain bytes, and their bound in chunks."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.tcp.buffer import appended, concatenated, octets_at, without_front
from gossamer.core.tcp.parameters import COALESCE_BYTES

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
