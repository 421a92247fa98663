"""Octets that came out of order: kept in runs, joined when they touch, reported to the peer as SACK blocks.

First received wins: an octet that is held or delivered is never replaced (overlap ambiguity). Runs are found
by bisection; their number is bounded, so the work per segment is too (CVE-2018-5390).

Source: RFC 9293 3.10.7.4, seventh; RFC 2018 4.
"""

from bisect import bisect_left, bisect_right

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_le, seq_lt, seq_max, seq_min
from gossamer.core.tcp.buffer import Chunks, appended, concatenated
from gossamer.core.tcp.constants import REASSEMBLY_BLOCKS_MAX
from gossamer.core.tcp.tcb import Block, Reassembly

EMPTY = Reassembly(blocks=())
SACK_BLOCKS_MAX = 4
replace = msgspec.structs.replace


def inserted(reassembly: Reassembly, seq: Seq, data: bytes, rcv_nxt: Seq) -> Reassembly | None:
    """Keep `data` at `seq`, which lies after RCV.NXT and in the window. Returns None when the bound is
    reached."""
    blocks = reassembly.blocks
    # Distances from RCV.NXT are plain ascending integers, whatever the sequence numbers wrap to.
    left_at, right_at = (seq - rcv_nxt) & MASK, ((seq - rcv_nxt) & MASK) + len(data)
    first = bisect_left(blocks, left_at, key=lambda block: (block.right - rcv_nxt) & MASK)
    last = first
    while last < len(blocks) and (blocks[last].left - rcv_nxt) & MASK <= right_at:
        last += 1
    if first == last and len(blocks) >= REASSEMBLY_BLOCKS_MAX:
        return None
    merged = _merged(blocks[first:last], seq, data)
    recent = (merged.left, *(r for r in reassembly.recent if not _is_held(merged, r)))[:SACK_BLOCKS_MAX]
    return replace(reassembly, blocks=(*blocks[:first], merged, *blocks[last:]), recent=recent)


def _is_held(block: Block, seq: Seq) -> bool:
    return (seq - block.left) & MASK < (block.right - block.left) & MASK


def _merged(touched: tuple[Block, ...], seq: Seq, data: bytes) -> Block:
    """One block of the new octets and the blocks they touch; where they overlap the older octets stay."""
    if not touched:
        return Block(seq, seq_add(seq, len(data)), (data,))
    right = seq_add(seq, len(data))
    chunks: Chunks = ()
    position = seq
    for block in touched:
        gap = seq_diff(block.left, position)
        if gap > 0:
            start = seq_diff(position, seq)
            chunks = appended(chunks, data[start : start + gap])
        chunks = concatenated(chunks, block.chunks)
        position = seq_max(position, block.right)
    if seq_lt(position, right):
        chunks = appended(chunks, data[seq_diff(position, seq) :])
    first = touched[0].left if seq_le(touched[0].left, seq) else seq
    return Block(first, seq_max(position, right), chunks)


def filled(reassembly: Reassembly, data: bytes, rcv_nxt: Seq) -> tuple[Reassembly | None, Chunks, Seq]:
    """What comes into order with `data` at `rcv_nxt`: (rest, chunks, new RCV.NXT). Octets that are held
    already stay what they are."""
    merged = inserted(reassembly, rcv_nxt, data, rcv_nxt)
    if merged is None:
        # As many runs as may be are held, and it touches none of them.
        return reassembly, (data,), seq_add(rcv_nxt, len(data))
    # All that was held lies behind RCV.NXT, so that the first run is the one that begins there.
    first, blocks = merged.blocks[0], merged.blocks[1:]
    if not blocks and merged.fin_seq is None and merged.duplicate is None:
        return None, first.chunks, first.right
    rest = replace(merged, blocks=blocks, recent=merged.recent if blocks else ())
    return rest, first.chunks, first.right


def held_part(reassembly: Reassembly, seq: Seq, count: int, rcv_nxt: Seq) -> tuple[Seq, Seq] | None:
    """The first part of [seq, seq + count), after RCV.NXT, that is held already; None when none is."""
    blocks, left_at = reassembly.blocks, (seq - rcv_nxt) & MASK
    first = bisect_right(blocks, left_at, key=lambda block: (block.right - rcv_nxt) & MASK)
    if first == len(blocks) or (blocks[first].left - rcv_nxt) & MASK >= left_at + count:
        return None
    return seq_max(seq, blocks[first].left), seq_min(seq_add(seq, count), blocks[first].right)


def sack_blocks(reassembly: Reassembly) -> tuple[tuple[int, int], ...]:
    """The blocks to report, the latest first. Source: RFC 2018 4."""
    blocks = reassembly.blocks
    if not blocks:
        return ()
    base = blocks[0].left
    found: list[tuple[int, int]] = []
    for seq in reassembly.recent:
        index = bisect_right(blocks, (seq - base) & MASK, key=lambda block: (block.left - base) & MASK) - 1
        if _is_held(blocks[index], seq):
            found.append((blocks[index].left, blocks[index].right))
    return tuple(found)
