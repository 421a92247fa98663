"""Joining what comes in: packets of one flow that follow one another in a batch, as one segment.

    a plain ACK behind a plain ACK of less   the later one stands for both
    text behind text of the same header      one text, until PSH or a shorter packet ends it

Owns what may be joined, and what becomes of it. The receiver joins in C (`ffi/src/join.c`), and is held to
what is here. A second ACK that is a duplicate, SACK, ECE, CE, urgent data, and options other than
timestamps are never joined: loss recovery counts or reads them one by one. How many packets a segment came
as goes with it, for who counts ACKs.

Source: the kernel's Documentation/networking/segmentation-offloads.rst, generic receive offload: text is
joined where it would be there, so that cut again it would be the same packets. Joining ACKs is our own.
"""

import msgspec

from gossamer.core.seq import HALF, MASK
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX
from gossamer.core.wire.segment import ACK, CE, PSH, Segment


def joined(first: Segment, second: Segment, piece_bytes: int) -> Segment | None:
    """One segment for both, None when they stay two. `piece_bytes` is the text of the first packet of
    `first`."""
    if not _is_plain(first) or not _is_plain(second) or first.ecn != second.ecn:
        return None
    if (first.ts_val < 0) != (second.ts_val < 0):
        return None
    if first.payload and second.payload:
        return _text_joined(first, second, piece_bytes)
    if not first.payload and not second.payload:
        return _later_ack(first, second)
    return None


def _is_plain(segment: Segment) -> bool:
    return (
        segment.flags | PSH == ACK | PSH
        and not segment.sack
        and segment.syn_options is None
        and not segment.user_timeout_s
        and segment.ecn != CE
    )


def _later_ack(first: Segment, second: Segment) -> Segment | None:
    """The second ACK, where it says all that the first does and more."""
    is_newer = 0 < (second.ack - first.ack) & MASK < HALF and (second.ts_val - first.ts_val) & MASK < HALF
    return second if is_newer and first.seq == second.seq and first.flags == second.flags == ACK else None


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
    return msgspec.structs.replace(first, flags=second.flags, payload=first.payload + second.payload)
