"""What holds a sender back, and for how long: the peer's window, or that the user had no room to give more.

Owns `Tcb.send_limits`, which is there while more than one segment is under way or something waits, and the
times that `core.tcp.info` shows. What leaves at once as one segment, a short answer to a request, opens no
record, costs nothing, and is not counted.

Source: RFC 4898 4 (tcpEStatsPerfSndLimTimeRwin, ...Snd, ...Cwnd); TCP_INFO of tcp(7): tcpi_busy_time,
tcpi_rwnd_limited, tcpi_sndbuf_limited.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK
from gossamer.core.tcp.recovery.scoreboard import pipe_bytes
from gossamer.core.tcp.send_space import gives_space
from gossamer.core.tcp.tcb import SendLimit, SendLimits, Tcb

replace = msgspec.structs.replace


def asked(tcb: Tcb, now_us: int, *, is_whole: bool) -> Tcb:
    """After a SEND, of which all found room or not, and what it let out."""
    held = tcb.send_limits
    if held is None:
        flight = (tcb.snd_nxt - tcb.snd_una) & MASK
        if is_whole and flight >= tcb.snd_buf_bytes <= tcb.agreed.smss:
            return tcb
        held = SendLimits(_first_sent_us(tcb) if flight else now_us)
    elif held.busy_at_us == NEVER_US:
        held = replace(held, busy_at_us=now_us)
    if held.waits_for_room == is_whole:
        held = replace(held, waits_for_room=not is_whole)
    return judged(tcb if held is tcb.send_limits else replace(tcb, send_limits=held), now_us)


def _first_sent_us(tcb: Tcb) -> int:
    return tcb.transmissions[0].sent_at_us if tcb.transmissions else tcb.snd_at_us


def judged(tcb: Tcb, now_us: int) -> Tcb:
    """The connection, which has a record, after what was sent or acknowledged."""
    held = tcb.send_limits
    assert held is not None
    if held.busy_at_us == NEVER_US:
        return tcb
    limit = _limit(tcb, waits_for_room=held.waits_for_room)
    return tcb if limit is held.limit else replace(tcb, send_limits=_changed(held, limit, now_us))


def _limit(tcb: Tcb, *, waits_for_room: bool) -> SendLimit:
    """What holds back. cwnd is asked first: while it is full the network does, and no other is to blame."""
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    unsent, smss = tcb.snd_buf_bytes - flight, tcb.agreed.smss
    room = tcb.congestion.cwnd - pipe_bytes(tcb)
    if unsent > 0:
        size = min(unsent, smss)
        return SendLimit.RECEIVER if room >= size > tcb.snd_wnd - flight else SendLimit.NETWORK
    return SendLimit.SENDER if waits_for_room and room >= smss else SendLimit.NETWORK


def _changed(held: SendLimits, limit: SendLimit, now_us: int) -> SendLimits:
    return replace(
        held,
        limit=limit,
        limited_at_us=now_us,
        receiver_us=held.receiver_us + limited_us(held, SendLimit.RECEIVER, now_us),
        sender_us=held.sender_us + limited_us(held, SendLimit.SENDER, now_us),
    )


def limited_us(held: SendLimits, limit: SendLimit, now_us: int) -> int:
    """How long `limit` has held back now; 0 when something else does."""
    return now_us - held.limited_at_us if held.limit is limit else 0


def acknowledged(tcb: Tcb, left_bytes: int, now_us: int) -> Tcb:
    """The connection, which has a record, at an ACK that leaves so much in the send buffer: a user that waits
    may have room again. Once nothing is left the time counts, and a record without times goes."""
    held = tcb.send_limits
    assert held is not None
    if held.waits_for_room and gives_space(tcb.agreed.parameters, tcb.snd_buf_bytes, left_bytes):
        held = replace(held, waits_for_room=False)
        tcb = replace(tcb, send_limits=held)
    if left_bytes or held.busy_at_us == NEVER_US:
        # What holds back now shows once all of the ACK has been taken in.
        return tcb
    busy_us, held = tcb.busy_us + now_us - held.busy_at_us, _changed(held, SendLimit.NETWORK, now_us)
    idle = SendLimits(receiver_us=held.receiver_us, sender_us=held.sender_us)
    return replace(tcb, busy_us=busy_us, send_limits=None if idle == NEVER_LIMITED else idle)


NEVER_LIMITED = SendLimits()
