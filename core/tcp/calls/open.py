"""Active OPEN: a SYN, and a connection in SYN-SENT.

Source: RFC 9293 3.10.1.
"""

from gossamer.core.seq import seq_add
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.constants import RTO_INITIAL_US
from gossamer.core.tcp.ecn import ect_of_syn, syn_flags
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.fast_open import room_bytes, syn_text
from gossamer.core.tcp.handshake import offer, wanted
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.path_mtu import first_path
from gossamer.core.tcp.tcb import FastOpen, State, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.tcp.user_timeout import advertised_s
from gossamer.core.wire.segment import NO_TIMESTAMP, SYN, Segment


def open_active(parameters: TcpParameters, opening: Opening, data: bytes = b"") -> tuple[Tcb, Actions]:
    """ "An initial send sequence number (ISS) is selected. A SYN segment of the form <SEQ=ISS><CTL=SYN> is
    sent. Set SND.UNA to ISS, SND.NXT to ISS+1, enter SYN-SENT state, and return."

    `data` is sent as soon as may be: in the SYN when there is a Fast Open cookie, or none is asked for.
    """
    agreed, cookie = wanted(parameters, opening), opening.cookie
    carries = bool(cookie) or opening.is_bare
    syn_bytes = min(len(data), room_bytes(opening.peer_mss, opening.mss)) if carries else 0
    tcb = Tcb(
        state=State.SYN_SENT,
        agreed=agreed,
        snd_una=agreed.iss,
        snd_nxt=seq_add(agreed.iss, 1),
        snd_buf=(data,) if data else (),
        snd_buf_bytes=len(data),
        rcv_wnd=parameters.receive_buffer_bytes,
        ts_recent=opening.ts_recent if agreed.timestamps else 0,
        congestion=initial_congestion(agreed),
        rtx_at_us=opening.now_us + RTO_INITIAL_US,
        rcv_at_us=opening.now_us,
        snd_at_us=opening.now_us,
        # The peer may refuse timestamps: then its SYN-ACK measures without.
        rtt_seq=seq_add(agreed.iss, 1),
        path=first_path(agreed.parameters),
        rtt_at_us=opening.now_us,
        fast_open=FastOpen(
            cookie, syn_bytes, is_experimental=opening.is_cookie_experimental, is_bare=opening.is_bare
        )
        if cookie is not None or opening.is_bare
        else None,
    )
    return tcb, (syn(tcb, opening.now_us),)


def syn(tcb: Tcb, now_us: int) -> Segment:
    """<SEQ=ISS><CTL=SYN> with what we offer, and the data that a Fast Open cookie lets it carry."""
    agreed = tcb.agreed
    ts_val = ts_value(agreed.ts_offset, now_us) if agreed.timestamps else NO_TIMESTAMP
    window = min(tcb.rcv_wnd, 0xFFFF)
    flags, options = SYN | syn_flags(tcb), offer(agreed, tcb.fast_open)
    timeout_s = advertised_s(agreed.parameters)
    return Segment(
        agreed.iss,
        0,
        flags,
        window,
        ts_val,
        tcb.ts_recent,
        payload=syn_text(tcb),
        syn_options=options,
        ecn=agreed.traffic_class | ect_of_syn(agreed, flags),
        user_timeout_s=timeout_s,
    )
