"""The receive window: what is promised to the peer, and silly window avoidance of the receiver.

`Tcb.rcv_wnd` is kept so that RCV.NXT + RCV.WND never moves left: octets that go into the buffer take from it,
octets that a thread receives give back, a worthwhile amount at a time.

Source: RFC 9293 3.8.6.2.2.
"""

from gossamer.core.tcp.tcb import Tcb


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
    if room - tcb.rcv_wnd >= min(buffer_bytes // 2, tcb.agreed.rmss):
        return room
    return tcb.rcv_wnd


def is_update_due(before: int, after: int, tcb: Tcb) -> bool:
    """Whether a window that grew from `before` to `after` is worth an ACK of its own: it was as good as
    closed, or half a buffer is gained."""
    gained = after - before
    return gained > 0 and (
        before < 2 * tcb.agreed.rmss or gained >= tcb.agreed.parameters.receive_buffer_bytes // 2
    )
