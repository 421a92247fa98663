"""A connection as a checkpoint, from which it goes on after its process was killed; and how it goes on.

    numbers(tcb), stem_octets(tcb), unsettled(tcb)  ->  read  ->  restored(tcb, now)

What every segment changes is written as numbers, the rest as `core.tcp.checkpoint_stem` writes it, and only
when it has become another. What of a connection is learned anew is not kept: congestion, round-trip time,
losses, what the peer has out of order.

A checkpoint need not be of the latest state. It is true as long as nothing has left that it does not account
for: no ACK beyond its RCV.NXT, and no octet beyond what it takes for sent (`reach`). So an ACK that is beyond
the SND.NXT of a checkpoint is evidence of what was sent after it, up to there, and an attack beyond.

Source: RFC 9293 3.4, 3.8; RFC 2018 8 (what was only reported by SACK may be asked for again).
"""

import struct
from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp.buffer import has_extent, octets_at
from gossamer.core.tcp.checkpoint_stem import of_stem
from gossamer.core.tcp.codec import UndecodableConnection
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.keepalive import idle_deadline_us
from gossamer.core.tcp.recovery.records import Run
from gossamer.core.tcp.recovery.timeout import flight_marked_lost
from gossamer.core.tcp.rtt import backed_off_us
from gossamer.core.tcp.silly_window import CLOSED_BY_US
from gossamer.core.tcp.tcb import State, Tcb

replace = msgspec.structs.replace

STATES: Final = frozenset(int(state) for state in State)
NUMBERS: Final = struct.Struct("=Q8I2B")
"""What nearly every segment changes."""
RECEIVE_CLOSED: Final = 0x80
"""Beside the state: the user has closed both ways."""


def can_be_written(tcb: Tcb) -> bool:
    """Whether a connection can go on from a checkpoint: it is synchronized, or a listener's and half open,
    and has all its octets itself."""
    if tcb.fast_open is not None or tcb.state is State.SYN_SENT:
        return False
    if tcb.state is State.SYN_RECEIVED:
        return tcb.agreed.passive
    return not has_extent(tcb.snd_buf)


def numbers(tcb: Tcb, until_us: int, standing: int) -> bytes:
    """What nearly every segment changes, until when its user waits, and one octet of the doer's own."""
    return NUMBERS.pack(
        until_us,
        tcb.rcv_buf_bytes,
        tcb.rcv_nxt,
        tcb.snd_una,
        tcb.snd_nxt,
        tcb.ts_recent,
        tcb.last_ack_sent,
        tcb.snd_wnd,
        tcb.rcv_wnd,
        tcb.state | RECEIVE_CLOSED * tcb.receive_closed,
        standing,
    )


def standing_in(note: bytes) -> int:
    """The octet of the doer's own. Raises: UndecodableConnection."""
    if len(note) != NUMBERS.size:
        raise UndecodableConnection("a checkpoint that is cut short")
    return note[-1]


def unsettled(tcb: Tcb) -> bytes | None:
    """The octets that its user has not received, and those that its peer has not acknowledged; None where
    some of these stand in files."""
    chunks, received = tcb.snd_buf, tcb.rcv_buf_bytes
    if not chunks and not received:
        return b""
    if len(chunks) == 1 and not received and not tcb.snd_buf_offset:
        chunk = chunks[0]
        return chunk if isinstance(chunk, bytes) else None
    if has_extent(chunks):
        return None
    count, heard = tcb.snd_buf_bytes, b""
    if received:
        heard = octets_at(tcb.rcv_buf, tcb.rcv_buf_offset, 0, received)
    return heard + octets_at(chunks, tcb.snd_buf_offset, 0, count) if count else heard  # type: ignore[arg-type]


def read(note: bytes, stem: bytes, octets: bytes) -> tuple[Tcb, int]:
    """The connection of a checkpoint, as it was then but for what is not kept, and until when its user waits.
    Raises: UndecodableConnection."""
    tcb = of_stem(stem)
    if len(note) != NUMBERS.size:
        raise UndecodableConnection("a checkpoint that is cut short")
    until_us, received, rcv_nxt, snd_una, snd_nxt, ts_recent, *more = NUMBERS.unpack(note)
    last_ack_sent, snd_wnd, rcv_wnd, stands, _ = more
    state = stands & ~RECEIVE_CLOSED
    if state not in STATES:
        raise UndecodableConnection(f"a checkpoint of a connection in state {state}")
    to_receive, to_send = octets[:received], octets[received:]
    if len(to_receive) < received:
        raise UndecodableConnection("a checkpoint that is cut short")
    tcb = replace(
        tcb,
        state=State(state),
        receive_closed=stands & RECEIVE_CLOSED > 0,
        rcv_nxt=rcv_nxt,
        snd_una=snd_una,
        snd_nxt=snd_nxt,
        snd_buf=(to_send,) if to_send else (),
        snd_buf_bytes=len(to_send),
        rcv_buf=(to_receive,) if received else (),
        rcv_buf_bytes=received,
        snd_wl1=rcv_nxt,
        ts_recent=ts_recent,
        last_ack_sent=last_ack_sent,
        snd_wnd=snd_wnd,
        rcv_wnd=rcv_wnd,
        max_snd_wnd=snd_wnd,
    )
    return tcb, until_us


def end(tcb: Tcb) -> Seq:
    """Behind all that its user has handed over, a SYN and a FIN included."""
    state = tcb.state
    if state is State.ESTABLISHED:
        return Seq(tcb.snd_una + tcb.snd_buf_bytes & MASK)
    has_syn = state is State.SYN_RECEIVED and tcb.snd_una == tcb.agreed.iss
    return Seq(tcb.snd_una + tcb.snd_buf_bytes + has_syn + (state in CLOSED_BY_US) & MASK)


def reach(tcb: Tcb) -> Seq:
    """How far a connection may send before a checkpoint of it is not true any more: to the end of what its
    user has handed over, and of the window that the peer had offered."""
    una, offered = tcb.snd_una, tcb.snd_wnd
    flight, waiting = tcb.snd_nxt - una & MASK, end(tcb) - una & MASK
    if flight > offered:
        offered = flight
    return Seq(una + (waiting if waiting < offered else offered) & MASK)


def restored(tcb: Tcb, now_us: int) -> Tcb:
    """The connection of a checkpoint as it goes on: whatever may have left since is taken for sent and lost,
    and goes again as the window of a new connection allows; whatever the peer says that it has is not sent
    again. An ACK that was owed is due at once.

    Source: RFC 5681 4.1 (what is known of a path is not used after a pause); RFC 6298 3 (Karn: nothing is
    measured by what may have been sent twice).
    """
    snd_nxt = reach(tcb)
    tcb = replace(
        tcb,
        snd_nxt=snd_nxt,
        snd_at_us=now_us,
        rcv_at_us=now_us,
        rtt_at_us=now_us,
        congestion=initial_congestion(tcb.agreed),
        ack_at_us=now_us if tcb.last_ack_sent != tcb.rcv_nxt else NEVER_US,
        rtx_at_us=NEVER_US,
        pace_at_us=NEVER_US,
        slow_at_us=_slow_at_us(tcb, now_us),
        busy_us=0,
        backoff=0,
        transmissions=(),
        recovery=None,
        rtt_seq=None,
        undo=None,
        delivery=None,
        soft_error=None,
        send_limits=None,
        record_ends=(),
    )
    if tcb.state is State.SYN_RECEIVED:
        # The SYN-ACK may not have left.
        return replace(tcb, rtx_at_us=now_us, ack_at_us=NEVER_US)
    if snd_nxt == tcb.snd_una:
        return tcb if not tcb.snd_buf_bytes else replace(tcb, rtx_at_us=now_us + backed_off_us(tcb))
    runs = (Run(snd_nxt, now_us, retransmitted=True),)
    tcb = flight_marked_lost(replace(tcb, transmissions=runs))
    # The ACK that is due has all be sent that may be.
    return replace(tcb, rtx_at_us=now_us + backed_off_us(tcb), ack_at_us=now_us)


def _slow_at_us(tcb: Tcb, now_us: int) -> int:
    """When a connection that stays idle from now on is looked at: its peer may never end it."""
    if tcb.state is State.FIN_WAIT_2 and tcb.receive_closed:
        return now_us + tcb.agreed.parameters.fin_wait_2_us
    return NEVER_US if tcb.state is State.SYN_RECEIVED else idle_deadline_us(tcb, now_us)
