"""Joining what comes in: packets of one flow that follow one another in a batch, as one segment.

    a plain ACK behind a plain ACK of less     the later one stands for both
    a duplicate whose first SACK block grows   the later one, which reports all that the earlier one did
    text behind text of the same header        one text, until PSH or a shorter packet ends it

Owns what may be joined, and what becomes of it. The receiver joins in C (`ffi/src/join.c`), and is held to
what is here. A duplicate without SACK, a D-SACK, ECE, CE, urgent data, and options other than timestamps and
SACK are never joined: loss recovery counts or reads them one by one. How many packets a segment came as goes
with it, for who counts ACKs.

Source: the kernel's Documentation/networking/segmentation-offloads.rst, generic receive offload: text is
joined where it would be there, so that cut again it would be the same packets. Joining ACKs is our own.
"""

import msgspec

from gossamer.core.seq import HALF, MASK
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX
from gossamer.core.wire.segment import ACK, CE, PSH, SackBlock, Segment
from gossamer.core.wire.text import octets_of


def joined(first: Segment, second: Segment, piece_bytes: int) -> Segment | None:
    """One segment for both, None when they stay two. `piece_bytes` is the text of the first packet of
    `first`."""
    if not _is_plain(first) or not _is_plain(second) or first.ecn != second.ecn:
        return None
    if (first.ts_val < 0) != (second.ts_val < 0):
        return None
    if first.sack or second.sack:
        return _later_report(first, second)
    if first.payload and second.payload:
        return _text_joined(first, second, piece_bytes)
    if not first.payload and not second.payload:
        return _later_ack(first, second)
    return None


def _is_plain(segment: Segment) -> bool:
    return (
        segment.flags | PSH == ACK | PSH
        and segment.syn_options is None
        and not segment.user_timeout_s
        and segment.ecn_bytes is None
        and segment.ecn != CE
    )


def _later_ack(first: Segment, second: Segment) -> Segment | None:
    """The second ACK, where it says all that the first does and more."""
    return second if 0 < (second.ack - first.ack) & MASK < HALF and _is_same_place(first, second) else None


def _is_same_place(first: Segment, second: Segment) -> bool:
    """Whether two ACKs without text were sent with nothing between them, and in this order."""
    return (
        first.seq == second.seq
        and first.flags == second.flags == ACK
        and not first.payload
        and not second.payload
        and (second.ts_val - first.ts_val) & MASK < HALF
    )


def _later_report(first: Segment, second: Segment) -> Segment | None:
    """The second duplicate, where it reports what the first does and more behind its first block, the latest
    to have grown (RFC 2018 4).

    So no order of arrival is lost: had another block grown or begun, which one came first would show
    reordering (RFC 8985 6.2). A first block that lies before SEG.ACK, or in the second one, is a D-SACK.
    """
    if not first.sack or not second.sack or first.ack != second.ack or not _is_same_place(first, second):
        return None
    (left, right), (same_left, later) = first.sack[0], second.sack[0]
    if left != same_left or first.sack[1:] != second.sack[1:]:
        return None
    if not 0 < (left - second.ack) & MASK < HALF or not 0 < (later - right) & MASK < HALF:
        return None
    return None if second.sack[1:] and _holds(second.sack[1], left) else second


def _holds(block: SackBlock, seq: int) -> bool:
    return (seq - block[0]) & MASK < (block[1] - block[0]) & MASK


def _text_joined(first: Segment, second: Segment, piece_bytes: int) -> Segment | None:
    size = len(first.payload) + len(second.payload)
    same_header = (first.ack, first.window, first.ts_val, first.ts_ecr) == (
        second.ack,
        second.window,
        second.ts_val,
        second.ts_ecr,
    )
    if (
        not same_header
        or first.flags & PSH
        or second.seq != (first.seq + len(first.payload)) & MASK
        or len(first.payload) % piece_bytes
        or len(second.payload) > piece_bytes
        or size > SUPER_SEGMENT_BYTES_MAX
    ):
        return None
    payload = octets_of(first.payload) + octets_of(second.payload)
    return msgspec.structs.replace(first, flags=second.flags, payload=payload)
