"""D-SACK: the receiver says what came twice, the sender hears it.

Owns which octets the next ACK names as duplicates, and whether the first SACK block of an ACK is such a name.
`rack`, `spurious` and `tail_loss_probe` decide what follows from it.

Source: RFC 2883 4.
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_le, seq_lt, seq_min
from gossamer.core.tcp.reassembly import EMPTY, held_part
from gossamer.core.tcp.tcb import Reassembly, Tcb
from gossamer.core.wire.segment import SackBlock, Segment

replace = msgspec.structs.replace


# The receiver.


def noted(tcb: Tcb, left: Seq, right: Seq) -> Tcb:
    """The connection whose next ACK names [left, right) as come twice."""
    if not tcb.agreed.sack or not tcb.agreed.parameters.dsack or not seq_lt(left, right):
        return tcb
    return replace(tcb, reassembly=replace(tcb.reassembly or EMPTY, duplicate=(left, right)))


def with_old_part(tcb: Tcb, segment: Segment) -> Tcb:
    """After a segment that starts before RCV.NXT.

    Source: RFC 2883 4.1.1: "the first block of the SACK option should cover the octets which triggered the
    acknowledgement".
    """
    left, right = Seq(segment.seq), seq_add(Seq(segment.seq), len(segment.payload))
    return noted(tcb, left, seq_min(right, tcb.rcv_nxt)) if seq_lt(left, tcb.rcv_nxt) else tcb


def with_held_part(tcb: Tcb, segment: Segment) -> Tcb:
    """After a segment of which part may be held out of order already; where an earlier part lies below
    RCV.NXT, that one is named, and this one is not.

    Source: RFC 2883 4, (1) and (2), and 4.2: one contiguous sequence a segment, the first.
    """
    if tcb.reassembly is None or tcb.reassembly.duplicate is not None:
        return tcb
    part = held_part(tcb.reassembly, Seq(segment.seq), len(segment.payload), tcb.rcv_nxt)
    return tcb if part is None else noted(tcb, *part)


def reported(tcb: Tcb) -> Tcb:
    """After the ACK that named them: "each duplicate is reported once" (RFC 2883 4, (1))."""
    held = tcb.reassembly
    if held is None or held.duplicate is None:
        return tcb
    is_empty = not held.blocks and held.fin_seq is None
    return replace(tcb, reassembly=None if is_empty else replace(held, duplicate=None))


def blocks_with_duplicate(held: Reassembly, blocks: tuple[SackBlock, ...]) -> tuple[SackBlock, ...]:
    """The SACK blocks, the duplicate first and behind it the block that holds it.

    Source: RFC 2883 4 (3): "if the D-SACK block reports a duplicate contiguous sequence from a (possibly
    larger) block of data in the receiver's data queue above the cumulative acknowledgement, then the second
    SACK block in that SACK option should specify that (possibly larger) block of data".
    """
    if held.duplicate is None:
        return blocks
    left = held.duplicate[0]
    around = [block for block in blocks if (left - block[0]) & MASK < (block[1] - block[0]) & MASK]
    return (held.duplicate, *around, *(block for block in blocks if block not in around))


# The sender.


def reported_block(tcb: Tcb, segment: Segment) -> SackBlock | None:
    """The duplicate that an ACK names, None when it names none, or one we never sent.

    Source: RFC 2883 4.1 and 4.2: the first block lies below the cumulative acknowledgement, or inside the
    second block.
    """
    left, right = segment.sack[0]
    is_sent = seq_lt(Seq(left), Seq(right)) and seq_le(Seq(right), tcb.snd_nxt)
    if not is_sent or seq_diff(tcb.snd_una, Seq(left)) > tcb.max_snd_wnd:
        return None
    if seq_le(Seq(right), Seq(segment.ack)):
        return left, right
    return (left, right) if len(segment.sack) > 1 and _is_inside((left, right), segment.sack[1]) else None


def _is_inside(inner: SackBlock, outer: SackBlock) -> bool:
    return (inner[0] - outer[0]) & MASK < (outer[1] - outer[0]) & MASK >= (inner[1] - outer[0]) & MASK
