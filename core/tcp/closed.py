"""CLOSED: the answer to a segment that belongs to no connection, and the records of connections that end.

Source: RFC 9293 3.10.7.1, 3.5.2.
"""

from gossamer.core.seq import Seq, seq_add
from gossamer.core.tcp.actions import Actions, Failed, Failure, Remains, Signal
from gossamer.core.tcp.buffer import octets_at
from gossamer.core.tcp.fast_open import is_early
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.tcp.window import textless_seq
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, RST, SYN, Segment


def segment_bytes(segment: Segment) -> int:
    """SEG.LEN: the octets a segment occupies in the sequence space, SYN and FIN counted."""
    return len(segment.payload) + (1 if segment.flags & SYN else 0) + (1 if segment.flags & FIN else 0)


def reset_reply(segment: Segment) -> Segment | None:
    """The RST that answers a segment; None for a RST, which is never answered."""
    if segment.flags & RST:
        return None
    if segment.flags & ACK:
        # "If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>"
        return Segment(segment.ack, 0, RST, 0)
    # "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"
    return Segment(0, seq_add(Seq(segment.seq), segment_bytes(segment)), RST | ACK, 0)


def failed(tcb: Tcb, failure: Failure) -> tuple[None, Actions]:
    """The connection is gone: "all segment queues should be flushed", all calls are answered with the
    failure."""
    if tcb.state is State.SYN_RECEIVED and tcb.agreed.passive and not is_early(tcb):
        return None, (Signal.HALF_OPEN_GONE,)
    return None, (Failed(failure),)


def timed_out(tcb: Tcb) -> tuple[None, Actions]:
    """The connection gives up. RFC 9293 3.9.2.2, SHLD-25: the reason of the last soft error is reported,
    unless the peer was heard from since."""
    soft = tcb.soft_error
    return failed(tcb, soft.failure if soft is not None and soft.at_us > tcb.rcv_at_us else Failure.TIMED_OUT)


def remains(tcb: Tcb) -> Actions:
    """What the user has not received of a connection that ended in order."""
    if not tcb.rcv_buf_bytes or tcb.receive_closed:
        return ()
    return (Remains(octets_at(tcb.rcv_buf, tcb.rcv_buf_offset, 0, tcb.rcv_buf_bytes)),)


def reset_segment(tcb: Tcb, now_us: int) -> Segment:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>: our own abort.

    RFC 7323 3.2: once timestamps are agreed the option "SHOULD be sent in an <RST> segment".
    """
    agreed = tcb.agreed
    ts_val = ts_value(agreed.ts_offset, now_us) if agreed.timestamps else NO_TIMESTAMP
    seq = textless_seq(tcb)
    return Segment(seq, tcb.rcv_nxt, RST | ACK, 0, ts_val, tcb.ts_recent, ecn=agreed.traffic_class)
