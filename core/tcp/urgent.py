"""Urgent data: where the peer's mark stands, and how much is left to read before it.

Owns RCV.UP. Urgent data stays in its place in the stream: it is delivered in line, as RFC 6093 2 and 5 ask,
and the mark only says how far it reaches. A mark is believed no further than the receive window, so that a
false pointer covers at most the data that may come anyway.

Differs: RFC 9293 3.8.5 (MUST-30) has TCP send urgent data too; ours offers no such SEND, since RFC 6093 5
advises applications not to use it. The mark of a segment before ESTABLISHED is ignored.

Source: RFC 9293 3.8.5 and 3.10.7.4, sixth; RFC 6093.
"""

import msgspec

from gossamer.core.seq import Seq, seq_add, seq_diff, seq_lt, seq_min
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import Segment

replace = msgspec.structs.replace


def read_nxt(tcb: Tcb) -> Seq:
    """The first octet that the user has not received."""
    return seq_add(tcb.rcv_nxt, -tcb.rcv_buf_bytes)


def urgent_bytes(tcb: Tcb) -> int:
    """The octets before the mark that the user has not received, come or still to come.

    Source: RFC 9293 3.8.5, MUST-33: "The TCP implementation MUST provide a way for the application to learn
    how much urgent data remains to be read from the connection".
    """
    return max(seq_diff(tcb.rcv_up, read_nxt(tcb)), 0) if tcb.rcv_up is not None else 0


def marked(tcb: Tcb, segment: Segment) -> Tcb:
    """The connection after a segment with URG, as it came; the same when its mark is nothing new.

    Source: RFC 9293 3.8.5, MUST-62: "The urgent pointer MUST point to the sequence number of the octet
    following the urgent data."
    """
    edge = seq_add(tcb.rcv_nxt, tcb.rcv_wnd)
    mark = seq_min(seq_add(Seq(segment.seq), segment.urgent), edge)
    before = read_nxt(tcb) if tcb.rcv_up is None else tcb.rcv_up
    return replace(tcb, rcv_up=mark) if seq_lt(before, mark) else tcb


def passed(tcb: Tcb) -> Tcb:
    """The connection after octets were received by the user: a mark that lies behind is forgotten."""
    return tcb if tcb.rcv_up is None or urgent_bytes(tcb) else replace(tcb, rcv_up=None)
