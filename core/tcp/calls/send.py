"""SEND.

Source: RFC 9293 3.10.2.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp import record_ends, send_limits
from gossamer.core.tcp.actions import Accepted, Actions, Failed, Failure
from gossamer.core.tcp.buffer import queued
from gossamer.core.tcp.calls.close import FIN_FOLLOWS
from gossamer.core.tcp.events import Send
from gossamer.core.tcp.fast_open import closed_early, is_early
from gossamer.core.tcp.output import output
from gossamer.core.tcp.send_space import room_bytes
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.tcp.window import window_field
from gossamer.core.wire.segment import ACK, FIN, PSH, Segment
from gossamer.core.wire.text import Extent

replace = msgspec.structs.replace

ESTABLISHED, FIN_WAIT_1 = State.ESTABLISHED, State.FIN_WAIT_1
SENDING = frozenset({State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT})


def send(tcb: Tcb, event: Send) -> tuple[Tcb, Actions]:
    """Put octets into the send buffer as far as its bound allows, and send what may be sent.

    The answer to the call, `Failed` or `Accepted`, stands last; where there is none, all found room."""
    data, agreed = event.data, tcb.agreed
    size = len(data)
    if (
        not tcb.snd_buf_bytes
        and tcb.state is ESTABLISHED
        and 0 < size < tcb.snd_wnd
        and size <= agreed.smss
        and size <= tcb.congestion.cwnd
        and tcb.reassembly is None
        and tcb.ecn is None
        and agreed.timestamps
        and not tcb.snd_buf_offset
        and event.now_us - tcb.snd_at_us <= tcb.round_trip.rto_us
        and not event.ends_record
        and isinstance(data, bytes)
    ):
        return _sent_at_once(tcb, event, data)
    if tcb.state not in SENDING or (tcb.fast_open is not None and tcb.fast_open.closes):
        # "FIN-WAIT-1 [...]: Return 'error: connection closing' and do not service request."
        return tcb, (Failed(Failure.CLOSING),)
    room = room_bytes(tcb, data)
    if not room:
        if event.is_last and not size and tcb.state in FIN_FOLLOWS:
            return output(replace(tcb, state=FIN_FOLLOWS[tcb.state]), event.now_us)
        if event.is_last and not size and is_early(tcb):
            return closed_early(tcb, receives=True), ()
        return send_limits.asked(tcb, event.now_us, is_whole=not size), (Accepted(0),)
    if tcb.backoff and tcb.snd_una == tcb.snd_nxt and not tcb.snd_buf_bytes:
        # What stands there are unanswered keepalive probes: the first transmission of new data is not backed
        # off.
        tcb = replace(tcb, backoff=0)
    taken = data if room == size else _front(data, room)
    tcb = replace(tcb, snd_buf=queued(tcb.snd_buf, taken), snd_buf_bytes=tcb.snd_buf_bytes + room)
    if event.ends_record and room == size:
        tcb = record_ends.ended(tcb)
    if event.is_last and room == size and tcb.state in FIN_FOLLOWS:
        tcb = replace(tcb, state=FIN_FOLLOWS[tcb.state])
    if is_early(tcb):
        # RFC 7413 4.2.2: the server may answer before the handshake is over.
        tcb = closed_early(tcb, receives=True) if event.is_last and room == size else tcb
    elif tcb.state < ESTABLISHED:
        # "SYN-SENT, SYN-RECEIVED: Queue the data for transmission after entering ESTABLISHED state."
        return tcb, _answer(size, room)
    tcb, sent = output(tcb, event.now_us)
    return send_limits.asked(tcb, event.now_us, is_whole=room == size), sent + _answer(size, room)


def _front(data: bytes | Extent, count: int) -> bytes | Extent:
    return data[:count] if isinstance(data, bytes) else data.part(0, count)


def _answer(size: int, taken: int) -> Actions:
    return () if taken == size else (Accepted(taken),)


def _sent_at_once(tcb: Tcb, event: Send, data: bytes) -> tuple[Tcb, Actions]:
    """The overwhelming case: nothing is in flight and all of it fits one segment. A property test holds it
    equal to `output`."""
    now_us, size, agreed = event.now_us, len(data), tcb.agreed
    # What `make_segment` makes of a connection with timestamps, without ECN and with nothing out of order.
    segment = Segment(
        tcb.snd_nxt,
        tcb.rcv_nxt,
        ACK | PSH | FIN if event.is_last else ACK | PSH,
        window_field(tcb),
        ts_value(agreed.ts_offset, now_us),
        tcb.ts_recent,
        data,
        (),
        None,
        0,
        agreed.ect | agreed.traffic_class,
    )
    tcb = replace(
        tcb,
        snd_nxt=Seq((tcb.snd_nxt + size + event.is_last) & MASK),
        snd_buf=(data,),
        snd_buf_bytes=size,
        last_ack_sent=tcb.rcv_nxt,
        ack_at_us=NEVER_US,
        rtx_at_us=now_us + tcb.round_trip.pto_one_us,
        snd_at_us=now_us,
    )
    if event.is_last:
        tcb = replace(tcb, state=FIN_WAIT_1)
    return tcb, (segment,)
