"""TIME-WAIT: what enters it, and the little that can still happen there.

Source: RFC 9293 3.10.7.4 and 3.6.1, RFC 6191, RFC 1337.
"""

import msgspec

from gossamer.core.seq import Seq, seq_add, seq_lt
from gossamer.core.tcp.actions import Actions, Dropped
from gossamer.core.tcp.closed import remains, segment_bytes
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.tcp.window import window_field
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, RST, SYN, Segment


def enter(tcb: Tcb, now_us: int) -> tuple[TimeWait, Actions]:
    """Leave all of the connection but what TIME-WAIT needs; unreceived octets go to the doer."""
    agreed, parameters = tcb.agreed, tcb.agreed.parameters
    record = TimeWait(
        tcb.snd_nxt,
        tcb.rcv_nxt,
        window_field(tcb),
        now_us + parameters.time_wait_us,
        tcb.ts_recent,
        agreed.ts_offset,
        agreed.timestamps,
        parameters.time_wait_us,
        parameters.challenge_interval_us,
        deviations=parameters.deviations,
    )
    return record, remains(tcb)


def segment_arrives(record: TimeWait, event: SegmentArrives) -> tuple[TimeWait, Actions]:
    """A segment for TIME-WAIT that does not open a new connection (see `can_reopen`)."""
    segment, now_us = event.segment, event.now_us
    dropped = Dropped(SegmentDrop.TIME_WAIT)
    if segment.flags & RST:
        # RFC 1337 3: ignoring RSTs keeps an old duplicate from assassinating TIME-WAIT.
        return record, (dropped,)
    is_late_syn = segment.flags & (SYN | ACK) == SYN
    if is_late_syn and record.deviations.ignores_late_syn:
        return record, (dropped,)
    if not segment.flags & (ACK | SYN):
        # RFC 9293 3.10.7.4, fifth: "if the ACK bit is off, drop the segment and return". Differs: out of the
        # window too, where the first check would answer it, since no TCP sends such a segment.
        return record, (dropped,)
    if segment.flags & FIN and _is_ending_at(segment, record.rcv_nxt):
        # RFC 9293 3.10.7.4, eighth: "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout."
        record = msgspec.structs.replace(record, expires_at_us=now_us + record.time_wait_us, answered_at_us=0)
    elif not segment_bytes(segment) and segment.seq == record.rcv_nxt:
        return record, (dropped,)
    # Whatever else comes is outside: nothing follows the peer's FIN. RFC 9293 3.10.7.4, first: "an
    # acknowledgment should be sent in reply". The rate keeps two ends in TIME-WAIT that disagree from
    # answering each other at once (RFC 5961 7).
    if record.answered_at_us and now_us - record.answered_at_us < record.challenge_interval_us:
        return record, (dropped,)
    record = msgspec.structs.replace(record, answered_at_us=now_us)
    return record, (dropped, _acknowledgment(record, now_us))


def _is_ending_at(segment: Segment, rcv_nxt: Seq) -> bool:
    return seq_add(Seq(segment.seq), segment_bytes(segment)) == rcv_nxt


def _acknowledgment(record: TimeWait, now_us: int) -> Segment:
    ts_val = ts_value(record.ts_offset, now_us) if record.timestamps else NO_TIMESTAMP
    return Segment(record.snd_nxt, record.rcv_nxt, ACK, record.rcv_wnd_field, ts_val, record.ts_recent)


def can_reopen(record: TimeWait, segment: Segment) -> bool:
    """Whether a SYN may take over the flow at once.

    Source: RFC 6191 2: a greater timestamp, or without timestamps a greater sequence number than the last one
    seen.
    """
    left_out = FIN if record.deviations.syn_fin == "open" else 0
    if segment.flags & (SYN | ACK | RST | FIN) & ~left_out != SYN:
        return False
    if record.timestamps and segment.ts_val != NO_TIMESTAMP and segment.ts_val != record.ts_recent:
        return seq_lt(Seq(record.ts_recent), Seq(segment.ts_val))
    return seq_lt(record.rcv_nxt, Seq(segment.seq))
