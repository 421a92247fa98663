"""SEND.

Source: RFC 9293 3.10.2.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp.actions import Accepted, Actions, Failed, Failure
from gossamer.core.tcp.buffer import appended
from gossamer.core.tcp.calls.close import FIN_FOLLOWS
from gossamer.core.tcp.events import Send
from gossamer.core.tcp.fast_open import closed_early, is_early
from gossamer.core.tcp.output import make_segment, output
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, FIN, PSH

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
    ):
        return _sent_at_once(tcb, event)
    if tcb.state not in SENDING or (tcb.fast_open is not None and tcb.fast_open.closes):
        # "FIN-WAIT-1 [...]: Return 'error: connection closing' and do not service request."
        return tcb, (Failed(Failure.CLOSING),)
    room = tcb.agreed.parameters.send_buffer_bytes - tcb.snd_buf_bytes
    taken = data if len(data) <= room else data[: max(room, 0)]
    if not taken:
        if event.is_last and not data and tcb.state in FIN_FOLLOWS:
            return output(replace(tcb, state=FIN_FOLLOWS[tcb.state]), event.now_us)
        if event.is_last and not data and is_early(tcb):
            return closed_early(tcb, receives=True), ()
        return tcb, (Accepted(0),)
    if tcb.backoff and tcb.snd_una == tcb.snd_nxt and not tcb.snd_buf_bytes:
        # What stands there are unanswered keepalive probes: the first transmission of new data is not backed
        # off.
        tcb = replace(tcb, backoff=0)
    tcb = replace(tcb, snd_buf=appended(tcb.snd_buf, taken), snd_buf_bytes=tcb.snd_buf_bytes + len(taken))
    if event.is_last and len(taken) == size and tcb.state in FIN_FOLLOWS:
        tcb = replace(tcb, state=FIN_FOLLOWS[tcb.state])
    if is_early(tcb):
        # RFC 7413 4.2.2: the server may answer before the handshake is over.
        tcb = closed_early(tcb, receives=True) if event.is_last and len(taken) == size else tcb
    elif tcb.state < ESTABLISHED:
        # "SYN-SENT, SYN-RECEIVED: Queue the data for transmission after entering ESTABLISHED state."
        return tcb, _answer(data, taken)
    tcb, sent = output(tcb, event.now_us)
    return tcb, sent + _answer(data, taken)


def _answer(data: bytes, taken: bytes) -> Actions:
    return () if len(taken) == len(data) else (Accepted(len(taken)),)


def _sent_at_once(tcb: Tcb, event: Send) -> tuple[Tcb, Actions]:
    """The overwhelming case: nothing is in flight and all of it fits one segment. A property test holds it
    equal to `output`."""
    data, now_us, size = event.data, event.now_us, len(event.data)
    flags = ACK | PSH | FIN if event.is_last else ACK | PSH
    segment = make_segment(tcb, now_us, tcb.snd_nxt, flags, data, tcb.agreed.ect)
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
