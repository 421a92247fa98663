"""Active OPEN: a SYN, and a connection in SYN-SENT.

Source: RFC 9293 3.10.1.
"""

from gossamer.core.seq import seq_add
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.ecn import syn_flags
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.handshake import offer, wanted
from gossamer.core.tcp.parameters import RTO_INITIAL_US, TcpParameters
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.wire.segment import NO_TIMESTAMP, SYN, Segment


def open_active(parameters: TcpParameters, opening: Opening) -> tuple[Tcb, Actions]:
    """ "An initial send sequence number (ISS) is selected. A SYN segment of the form <SEQ=ISS><CTL=SYN> is
    sent. Set SND.UNA to ISS, SND.NXT to ISS+1, enter SYN-SENT state, and return." """
    agreed = wanted(parameters, opening)
    tcb = Tcb(
        state=State.SYN_SENT,
        agreed=agreed,
        snd_una=agreed.iss,
        snd_nxt=seq_add(agreed.iss, 1),
        rcv_wnd=parameters.receive_buffer_bytes,
        congestion=initial_congestion(agreed),
        rtx_at_us=opening.now_us + RTO_INITIAL_US,
        rcv_at_us=opening.now_us,
        snd_at_us=opening.now_us,
        rtt_seq=None if agreed.timestamps else seq_add(agreed.iss, 1),
        rtt_at_us=0 if agreed.timestamps else opening.now_us,
    )
    return tcb, (syn(tcb, opening.now_us),)


def syn(tcb: Tcb, now_us: int) -> Segment:
    """<SEQ=ISS><CTL=SYN> with what we offer."""
    agreed = tcb.agreed
    ts_val = ts_value(agreed.ts_offset, now_us) if agreed.timestamps else NO_TIMESTAMP
    window = min(tcb.rcv_wnd, 0xFFFF)
    return Segment(agreed.iss, 0, SYN | syn_flags(tcb), window, ts_val, syn_options=offer(agreed))
