"""What one ACK says that was not known before: read once, used by every rule of loss recovery.

Source: RFC 6675 2, RFC 9937 3 (DeliveredData), RFC 2883 4.
"""

import msgspec

from gossamer.core.seq import Seq
from gossamer.core.tcp.recovery import dsack, scoreboard
from gossamer.core.tcp.recovery.ranges import Ranges, total_bytes
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import SackBlock, Segment


class AckReport(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An ACK, as loss recovery sees it."""

    before: Tcb
    """The connection before it, with the times of what it acknowledges."""
    segment: Segment
    now_us: int
    r_us: int | None
    """The round-trip time it showed; None when it showed none."""
    acked_bytes: int
    """By how much it moved SND.UNA."""
    is_duplicate: bool
    """By RFC 5681 2's five conditions."""
    acks: int
    """How many ACKs it stands for, where the receiver has joined them (`core.wire.joining`)."""
    sacked: Ranges
    """The scoreboard after it."""
    sacked_bytes: int
    arrived: Ranges
    """The octets that it is the first to report, by its number or by SACK."""
    arrived_bytes: int
    dsack: SackBlock | None
    """Octets that came to the peer twice."""


def read(
    before: Tcb,
    tcb: Tcb,
    segment: Segment,
    now_us: int,
    is_duplicate: bool = False,
    r_us: int | None = None,
    acks: int = 1,
) -> AckReport:
    """Read an ACK that has made `tcb` of `before`."""
    recovery, blocks = before.recovery, segment.sack if tcb.agreed.sack else ()
    held, held_bytes = (recovery.sacked, recovery.sacked_bytes) if recovery is not None else ((), 0)
    una, ack = before.snd_una, tcb.snd_una
    sacked, arrived = scoreboard.updated(held, blocks, una, ack, tcb.snd_nxt)
    acked_bytes, arrived_bytes = (ack - una) & 0xFFFFFFFF, total_bytes(arrived)
    return AckReport(
        before=before,
        segment=segment,
        now_us=now_us,
        r_us=r_us,
        acked_bytes=acked_bytes,
        is_duplicate=is_duplicate,
        acks=acks,
        sacked=sacked,
        # What was reported of the octets now acknowledged by number is reported no more.
        sacked_bytes=held_bytes + arrived_bytes - acked_bytes,
        arrived=arrived,
        arrived_bytes=arrived_bytes,
        dsack=dsack.reported_block(tcb, segment) if blocks else None,
    )


def highest_reported(before: Tcb) -> Seq:
    """RACK.fack: the end of what the peer has reported (RFC 8985 5.3)."""
    held = before.recovery.sacked if before.recovery is not None else ()
    return held[-1][1] if held else before.snd_una
