"""What goes again now, and what the connection is after it went. Making the segment is `core.tcp.output`'s.

Source: RFC 6675 4 (NextSeg), 5 (C).
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp import record_ends
from gossamer.core.tcp.path_mtu import sent_again
from gossamer.core.tcp.recovery import forward_rto, spurious
from gossamer.core.tcp.recovery.scoreboard import pipe_bytes, without_lost
from gossamer.core.tcp.recovery.transmissions import after_retransmission
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def next_lost(tcb: Tcb) -> tuple[Seq, int] | None:
    """The next octets to send again, (seq, length), None when there are none or cwnd is full."""
    recovery = tcb.recovery
    if recovery is None or not recovery.lost or forward_rto.is_waiting(recovery):
        return None
    left, right = recovery.lost[0]
    length = min((right - left) & MASK, tcb.agreed.smss)
    if tcb.record_ends:
        length = record_ends.within(tcb, left, length)
    # RFC 6675 5 (C): "If cwnd - pipe >= 1 SMSS the sender SHOULD transmit one or more segments".
    if not recovery.must_send and pipe_bytes(tcb) + length > tcb.congestion.cwnd:
        return None
    return left, length


def retransmitted(tcb: Tcb, seq: Seq, length: int, now_us: int) -> Tcb:
    """After [seq, seq + length) has left again."""
    right = seq_add(seq, length)
    tcb = spurious.before_retransmission(tcb, seq, length, now_us)
    transmissions, recovery = after_retransmission(tcb, seq, right, now_us), tcb.recovery
    if recovery is not None:
        recovery = replace(
            without_lost(recovery, seq, right, tcb.snd_una),
            must_send=False,
            again_since_us=min(recovery.again_since_us, now_us),
            again_until_us=now_us,
        )
    return sent_again(replace(tcb, transmissions=transmissions, recovery=recovery), seq, right, now_us)
