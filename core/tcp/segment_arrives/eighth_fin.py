"""Eighth: the FIN bit.

Source: RFC 9293 3.10.7.4, eighth.
"""

import msgspec

from gossamer.core.seq import Seq, seq_add
from gossamer.core.tcp import accurate_ecn
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.output import flight_bytes, output
from gossamer.core.tcp.reassembly import EMPTY
from gossamer.core.tcp.segment_arrives.seventh_text import RECEIVING
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.time_wait import enter
from gossamer.core.wire.segment import FIN, Segment

replace = msgspec.structs.replace


def check_fin(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """Take the FIN once everything before it is here."""
    if tcb.state not in RECEIVING:
        # "CLOSE-WAIT, CLOSING, LAST-ACK: Remain in" the state; a FIN seen again is acknowledged again.
        return Verdict(replace(tcb, ack_at_us=event.now_us), segment) if segment.flags & FIN else PROCEED
    fin_seq = _fin_seq(tcb, segment)
    if fin_seq is None:
        return PROCEED
    if fin_seq != tcb.rcv_nxt:
        return _early(tcb, segment, fin_seq, event.now_us)
    # "advance RCV.NXT over the FIN, and send an acknowledgment for the FIN"
    tcb = replace(tcb, rcv_nxt=seq_add(fin_seq, 1), ack_at_us=event.now_us, reassembly=None)
    ended: Actions = () if tcb.rcv_buf_bytes else (Signal.END_OF_STREAM,)
    return _moved_on(tcb, segment, event.now_us, ended)


def _fin_seq(tcb: Tcb, segment: Segment) -> Seq | None:
    if segment.flags & FIN:
        return seq_add(Seq(segment.seq), len(segment.payload))
    return tcb.reassembly.fin_seq if tcb.reassembly is not None else None


def _early(tcb: Tcb, segment: Segment, fin_seq: Seq, now_us: int) -> Verdict | None:
    """A FIN behind a gap: remember where it stands."""
    if not segment.flags & FIN:
        return PROCEED
    held = tcb.reassembly or EMPTY
    return Verdict(replace(tcb, reassembly=replace(held, fin_seq=fin_seq), ack_at_us=now_us), segment)


def _moved_on(tcb: Tcb, segment: Segment, now_us: int, actions: Actions) -> Verdict:
    if tcb.state is State.ESTABLISHED:
        return Verdict(replace(tcb, state=State.CLOSE_WAIT), segment, actions)
    if tcb.state is State.FIN_WAIT_1:
        # "if our FIN has been ACKed (perhaps in this segment), enter TIME-WAIT [...]; otherwise, enter the
        # CLOSING state": had it been, the fifth check would have left FIN-WAIT-1.
        return Verdict(replace(tcb, state=State.CLOSING), segment, actions)
    assert tcb.state is State.FIN_WAIT_2
    assert flight_bytes(tcb) == 0
    tcb, sent = output(tcb, now_us)
    if accurate_ecn.is_silent_in_time_wait(tcb):
        sent = tuple(accurate_ecn.silent(each) if isinstance(each, Segment) else each for each in sent)
    record, rest = enter(tcb, now_us)
    return Verdict(record, segment, actions + sent + rest, stops=True)
