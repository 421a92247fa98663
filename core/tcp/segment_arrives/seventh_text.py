"""Seventh: the segment text.

Source: RFC 9293 3.10.7.4, seventh; 3.8.6.3 (delayed ACK); RFC 5681 4.2.
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_lt
from gossamer.core.tcp import ecn, reassembly, urgent
from gossamer.core.tcp.actions import Actions, Deliver, Dropped, Failure
from gossamer.core.tcp.buffer import appended, concatenated, octets_at, without_front
from gossamer.core.tcp.closed import failed, reset_reply
from gossamer.core.tcp.constants import DUP_THRESH
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.output import acknowledgment
from gossamer.core.tcp.recovery.dsack import with_held_part
from gossamer.core.tcp.segment_arrives.verdict import PROCEED, Verdict
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.window import offered_anew, reopened
from gossamer.core.wire.segment import CE, CWR, Segment
from gossamer.core.wire.text import octets_of

replace = msgspec.structs.replace

RECEIVING = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})


def process_text(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """Take the octets in order, hold those that are not, schedule the ACK, answer a queued RECEIVE."""
    if tcb.state not in RECEIVING:
        # "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
        return PROCEED
    if not segment.payload:
        return _empty(tcb, segment, event)
    if tcb.receive_closed:
        # RFC 9293 3.6.1, SHLD-3: "if new data is received after CLOSE is called, its TCP implementation
        # SHOULD send a RST".
        reply = reset_reply(segment)
        _, actions = failed(tcb, Failure.ABORTED)
        return Verdict(None, segment, actions if reply is None else (reply, *actions), stops=True)
    if tcb.agreed.ecn and (segment.ecn == CE or segment.flags & CWR):
        tcb = ecn.on_text(tcb, segment)
    if segment.seq != tcb.rcv_nxt:
        return _out_of_order(tcb, segment, event)
    tcb = _in_order(with_held_part(tcb, segment), octets_of(segment.payload), event.now_us)
    buffered = tcb.rcv_buf_bytes
    tcb, delivered = deliver(tcb, event.receive_bytes)
    if delivered:
        # What goes to a waiting thread at once takes nothing from the window.
        tcb = replace(tcb, rcv_wnd=tcb.rcv_wnd + buffered - tcb.rcv_buf_bytes)
    else:
        tcb = offered_anew(tcb)
    return Verdict(tcb, segment, delivered)


def _empty(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict | None:
    """No text in the window. If there was some before trimming the peer must hear from us at once (a window
    probe, or a retransmission of what we have); so must one that sent a keepalive, which is an old sequence
    number."""
    if event.segment.payload:
        return Verdict(replace(tcb, ack_at_us=event.now_us), segment)
    if event.receive_bytes and tcb.rcv_buf_bytes:
        # The handshake is over, and the peer's SYN had brought text that a thread waits for.
        tcb, delivered = deliver(tcb, event.receive_bytes)
        return Verdict(replace(tcb, rcv_wnd=reopened(tcb)), segment, delivered)
    return PROCEED


def _in_order(tcb: Tcb, payload: bytes, now_us: int) -> Tcb:
    held = tcb.reassembly
    # RFC 5681 4.2: "a TCP receiver SHOULD send an immediate ACK when the incoming segment fills in all or
    # part of a gap".
    ack_at_us = tcb.ack_at_us if held is None else now_us
    if held is None:
        chunks, rcv_nxt = appended(tcb.rcv_buf, payload), seq_add(tcb.rcv_nxt, len(payload))
    else:
        held, joined, rcv_nxt = reassembly.filled(held, payload, tcb.rcv_nxt)
        chunks = concatenated(tcb.rcv_buf, joined)
    taken = (rcv_nxt - tcb.rcv_nxt) & MASK
    return replace(
        tcb,
        rcv_nxt=rcv_nxt,
        rcv_buf=chunks,
        rcv_buf_bytes=tcb.rcv_buf_bytes + taken,
        rcv_wnd=tcb.rcv_wnd - taken,
        reassembly=held,
        ack_at_us=min(ack_at_us, ack_deadline_us(tcb, rcv_nxt, now_us)),
        # What fills a gap began before what had come.
        rcv_text_at_us=tcb.rcv_text_at_us if seq_lt(tcb.snd_wl1, rcv_nxt) else now_us,
    )


def ack_deadline_us(tcb: Tcb, rcv_nxt: Seq, now_us: int) -> int:
    """When octets up to `rcv_nxt` must be acknowledged.

    Source: RFC 9293 3.8.6.3: "in a stream of full-sized segments, there SHOULD be an ACK for at least every
    second segment", and "the delay MUST be less than 0.5 seconds".
    """
    if (rcv_nxt - tcb.last_ack_sent) & MASK >= 2 * tcb.agreed.smss:
        return now_us
    return min(tcb.ack_at_us, now_us + tcb.agreed.parameters.delayed_ack_us)


def _out_of_order(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Verdict:
    tcb = with_held_part(tcb, segment)
    held = reassembly.inserted(
        tcb.reassembly or reassembly.EMPTY, Seq(segment.seq), octets_of(segment.payload), tcb.rcv_nxt
    )
    # RFC 5681 4.2: "a TCP receiver SHOULD send an immediate duplicate ACK when an out-of-order segment
    # arrives".
    tcb = replace(tcb, ack_at_us=event.now_us)
    if held is None:
        return Verdict(tcb, segment, (Dropped(SegmentDrop.REASSEMBLY_FULL),))
    return Verdict(replace(tcb, reassembly=held), segment, _further_duplicates(tcb, event))


def _further_duplicates(tcb: Tcb, event: SegmentArrives) -> Actions:
    """The duplicate ACKs of the packets that were joined to the first: a peer without SACK counts to three
    (RFC 5681 3.2), and would else wait for its timer."""
    if tcb.agreed.sack:
        return ()
    return (acknowledgment(tcb, event.now_us),) * (min(event.pieces, DUP_THRESH) - 1)


def deliver(tcb: Tcb, bytes_max: int) -> tuple[Tcb, Actions]:
    """Answer a RECEIVE for up to `bytes_max` octets from the buffer; nothing happens when there is no such
    call."""
    count = min(bytes_max, tcb.rcv_buf_bytes)
    if not count:
        return tcb, ()
    data = octets_at(tcb.rcv_buf, tcb.rcv_buf_offset, 0, count)
    chunks, offset = without_front(tcb.rcv_buf, tcb.rcv_buf_offset, count)
    remaining_bytes = tcb.rcv_buf_bytes - count
    tcb = replace(tcb, rcv_buf=chunks, rcv_buf_offset=offset, rcv_buf_bytes=remaining_bytes)
    return urgent.passed(tcb), (Deliver(data),)
