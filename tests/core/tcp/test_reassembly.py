"""Reassembly against a model of one octet at a time: first received wins, whatever the order and the wrap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp import reassembly
from gossamer.core.tcp.reassembly import EMPTY
from gossamer.core.tcp.tcb import Reassembly

PIECES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 20)), max_size=40)


def octets(number: int, size: int) -> bytes:
    return bytes((number * 17 + at) & 0xFF for at in range(size))


@pytest.mark.parametrize(
    "rcv_nxt", [Seq(0), Seq(MASK - 30), Seq((1 << 31) - 30)], ids=["zero", "wrap", "sign"]
)
@given(pieces=PIECES, first=st.integers(1, 70))
def test_insert_and_fill__any_order__as_one_octet_at_a_time(
    rcv_nxt: Seq, pieces: list[tuple[int, int]], first: int
) -> None:
    held, model = EMPTY, dict[int, int]()
    for number, (at, size) in enumerate(pieces):
        data = octets(number, size)
        inserted = reassembly.inserted(held, seq_add(rcv_nxt, at), data, rcv_nxt)
        assert inserted is not None
        held = inserted
        for offset, octet in enumerate(data):
            model.setdefault(at + offset, octet)
    check(held, model, rcv_nxt)
    data = octets(99, first)
    rest, chunks, after = reassembly.filled(held, data, rcv_nxt)
    for offset, octet in enumerate(data):
        model.setdefault(offset, octet)
    length = next(at for at in range(200) if at not in model)
    assert b"".join(chunks) == bytes(model.pop(at) for at in range(length))
    assert after == seq_add(rcv_nxt, length)
    check(rest or EMPTY, model, rcv_nxt)


def check(held: Reassembly, model: dict[int, int], rcv_nxt: Seq) -> None:
    """The runs hold exactly what the model does, ascending and apart."""
    found, end = {}, -1
    for block in held.blocks:
        left = (block.left - rcv_nxt) & MASK
        assert left > end
        data = b"".join(block.chunks)
        end = left + len(data)
        assert (block.right - rcv_nxt) & MASK == end
        found |= {left + at: octet for at, octet in enumerate(data)}
    assert found == model


@given(pieces=PIECES)
def test_sack_blocks__latest_first_and_at_most_four(pieces: list[tuple[int, int]]) -> None:
    """RFC 2018 4: "The first SACK block [...] MUST specify the contiguous block of data containing the
    segment which triggered this ACK"."""
    held = EMPTY
    for number, (at, size) in enumerate(pieces):
        inserted = reassembly.inserted(held, Seq(at), octets(number, size), Seq(0))
        assert inserted is not None
        held = inserted
        blocks = reassembly.sack_blocks(held)
        assert blocks[0][0] <= at < at + size <= blocks[0][1]
        assert len(blocks) == len(set(blocks)) <= 4
        assert set(blocks) <= {(block.left, block.right) for block in held.blocks}
