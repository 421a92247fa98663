"""The receive window: what is promised to the peer, and silly window avoidance of the receiver; and where
in the peer's window a segment without text stands.

`Tcb.rcv_wnd` is kept so that RCV.NXT + RCV.WND never moves left: octets that go into the buffer take from it,
octets that a thread receives give back, a worthwhile amount at a time, and so does room that the header's
field could not say.

Source: RFC 9293 3.8.6.2.2, 3.8.6.1.
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp.tcb import Agreed, Tcb

replace = msgspec.structs.replace

FIELD_MAX = 0xFFFF


def first_window(agreed: Agreed) -> int:
    """RCV.WND of a new connection: the buffer, as far as the header's field can say it."""
    parameters = agreed.parameters
    most = min(parameters.receive_buffer_bytes, FIELD_MAX << agreed.rcv_wind_shift)
    space_bytes = parameters.deviations.receive_space_bytes
    return min(space_bytes, most) if space_bytes else most


def whole_window(agreed: Agreed) -> int:
    """`first_window`; for a system that has a space of its own, that in whole segments, which may be more
    than the field can say."""
    parameters = agreed.parameters
    space_bytes = min(parameters.deviations.receive_space_bytes, parameters.receive_buffer_bytes)
    return -(-space_bytes // agreed.smss) * agreed.smss if space_bytes else first_window(agreed)


def opened_window(tcb: Tcb) -> int:
    """RCV.WND once the handshake is over."""
    agreed = tcb.agreed
    if not agreed.parameters.deviations.receive_space_bytes or not agreed.passive:
        return tcb.rcv_wnd
    return tcb.rcv_wnd + whole_window(agreed) - first_window(agreed)


def window_field(tcb: Tcb) -> int:
    """The header's window field. Rounded down, so that all that is advertised is accepted."""
    field = tcb.rcv_wnd >> tcb.agreed.rcv_wind_shift
    return field if field < 0xFFFF else 0xFFFF


def reopened(tcb: Tcb) -> int:
    """RCV.WND after octets left the buffer.

    Source: RFC 9293 3.8.6.2.2: keep it until "RCV.BUFF - RCV.USER - RCV.WND >= min(Fr * RCV.BUFF,
    Eff.snd.MSS)", Fr = 1/2.
    """
    buffer_bytes = tcb.agreed.parameters.receive_buffer_bytes
    room = buffer_bytes - tcb.rcv_buf_bytes
    largest = FIELD_MAX << tcb.agreed.rcv_wind_shift
    if room > largest:
        room = largest
    if room - tcb.rcv_wnd >= min(buffer_bytes // 2, tcb.agreed.rmss):
        return room
    return tcb.rcv_wnd


def offered_anew(tcb: Tcb) -> Tcb:
    """The connection once text went into the buffer: without window scaling the field cannot say how large
    the buffer is, so that what it said is not all there is. A peer would be shut out after 65,535 octets
    that nobody has received.

    Source: RFC 9293 3.8.6.2.2, whose RCV.USER counts what came, and not only what a user takes.
    """
    if tcb.agreed.rcv_wind_shift:
        return tcb
    rcv_wnd = reopened(tcb)
    return tcb if rcv_wnd == tcb.rcv_wnd else replace(tcb, rcv_wnd=rcv_wnd)


def is_update_due(before: int, after: int, tcb: Tcb) -> bool:
    """Whether a window that grew from `before` to `after` is worth an ACK of its own: it was as good as
    closed, or half a buffer is gained."""
    gained = after - before
    return gained > 0 and (
        before < 2 * tcb.agreed.rmss or gained >= tcb.agreed.parameters.receive_buffer_bytes // 2
    )


def textless_seq(tcb: Tcb) -> Seq:
    """SEG.SEQ of a segment without text: SND.NXT, but never beyond the right edge of the peer's window.

    A probe of a closed window leaves SND.NXT an octet beyond it. An ACK from there is not acceptable to the
    peer (RFC 9293 3.10.7.4, first), which would then learn neither what we have received nor that our own
    window has opened: with both windows closed, neither side would ever open the other's.
    """
    if (tcb.snd_nxt - tcb.snd_una) & MASK > tcb.snd_wnd:
        return seq_add(tcb.snd_una, tcb.snd_wnd)
    return tcb.snd_nxt
