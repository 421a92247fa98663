"""LISTEN: a SYN makes a connection in SYN-RECEIVED.

Source: RFC 9293 3.10.7.2.
"""

from functools import lru_cache

import msgspec

from gossamer.core.seq import Seq, seq_add
from gossamer.core.tcp import fast_open
from gossamer.core.tcp.accurate_ecn import begun
from gossamer.core.tcp.actions import Actions, Dropped, Signal
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.constants import RTO_INITIAL_US
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.ecn import SETUP_FLAGS, ect_of_syn_ack, is_syn_ack_plain, syn_ack_flags
from gossamer.core.tcp.ecn_bytes import on_syn_ack
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.handshake import NO_OPTIONS, agreement, offer, wanted
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.path_mtu import first_path
from gossamer.core.tcp.tcb import Agreed, FastOpen, Listener, State, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.tcp.user_timeout import adopted, advertised_s
from gossamer.core.tcp.window import FIELD_MAX, first_window
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, RST, SYN, Segment, SynOptions

replace = msgspec.structs.replace
SYN_RECEIVED = State.SYN_RECEIVED


def segment_arrives(listener: Listener, segment: Segment, opening: Opening) -> tuple[Tcb | None, Actions]:
    """What a listener answers: a connection in SYN-RECEIVED and its SYN-ACK, a RST, or nothing."""
    if not is_opening(segment) and not _opens_despite_fin(segment, listener.parameters):
        return None, refusal(segment)
    tcb = opened(listener.parameters, segment, opening)
    if opening.cookie is not None:
        tcb = replace(tcb, fast_open=fast_open.answering(opening.cookie, segment))
    if not opening.takes_text:
        return tcb, (first_syn_ack(tcb, opening.now_us),)
    tcb = fast_open.taken(tcb, segment)
    return tcb, (first_syn_ack(tcb, opening.now_us), Signal.OPENED_EARLY)


def is_opening(segment: Segment) -> bool:
    """Whether a segment asks for a connection: a SYN without ACK, RST or FIN.

    Differs: RFC 9293 3.10.7.2 would open with <CTL=SYN,FIN> too and process the FIN later; no TCP sends that,
    and it is dropped.
    """
    return segment.flags & (SYN | ACK | RST | FIN) == SYN


def _opens_despite_fin(segment: Segment, parameters: TcpParameters) -> bool:
    """By `syn_fin`; the FIN is left to be sent again."""
    is_syn_fin = segment.flags & (SYN | ACK | RST | FIN) == SYN | FIN
    return is_syn_fin and parameters.deviations.syn_fin == "open"


def refusal(segment: Segment) -> Actions:
    """What a listener answers to anything else.

    "First, check for a RST: An incoming RST segment could not be valid since it could not have been sent in
    response to anything sent by this incarnation of the connection. An incoming RST should be ignored."
    """
    dropped = Dropped(SegmentDrop.LISTEN_NOT_SYN)
    if not segment.flags & ACK:
        return (dropped,)
    # "Any acknowledgment is bad if it arrives on a connection still in the LISTEN state. An acceptable reset
    # segment should be formed for any arriving ACK-bearing segment": none for a RST.
    reply = reset_reply(segment)
    return (dropped,) if reply is None else (dropped, reply)


def opened(parameters: TcpParameters, syn: Segment, opening: Opening) -> Tcb:
    """The connection that a SYN opens, made from one of its kind: what does not depend on numbers is shared.

    A property test holds it equal to `open_passive`.
    """
    options = syn.syn_options or NO_OPTIONS
    if options.cookie is not None or parameters.ecn == "accurate":
        agreed = agreement(wanted(parameters, opening, passive=True), syn)
        return begun(open_passive(agreed, syn, opening.now_us), syn)
    has_timestamp = syn.ts_val >= 0
    kind = _of_kind(
        parameters, opening.mss, opening.is_ipv6, options, syn.window, has_timestamp, syn.flags & SETUP_FLAGS
    )
    now_us, irs = opening.now_us, Seq(syn.seq)
    iss, rcv_nxt = Seq(opening.iss), seq_add(irs, 1)
    tcb = replace(
        kind,
        rcv_nxt=rcv_nxt,
        snd_una=iss,
        snd_nxt=seq_add(iss, 1),
        rtx_at_us=now_us + RTO_INITIAL_US,
        rcv_at_us=now_us,
        snd_wl1=irs,
        ts_recent=syn.ts_val if kind.agreed.timestamps else 0,
        last_ack_sent=rcv_nxt,
        snd_at_us=now_us,
        agreed=replace(kind.agreed, iss=iss, irs=irs, ts_offset=opening.ts_offset),
    )
    if not kind.agreed.timestamps:
        tcb = replace(tcb, rtt_seq=tcb.snd_nxt, rtt_at_us=now_us)
    return adopted(tcb, syn) if syn.user_timeout_s else tcb


@lru_cache(maxsize=1024)
def _of_kind(
    parameters: TcpParameters,
    mss: int,
    is_ipv6: bool,
    options: SynOptions,
    window: int,
    has_timestamp: bool,
    flags: int,
) -> Tcb:
    """A connection of the SYNs that have these in common."""
    ts_val = 0 if has_timestamp else NO_TIMESTAMP
    syn = Segment(0, 0, SYN | flags, window, ts_val, syn_options=options)
    opening = Opening(now_us=0, iss=0, ts_offset=0, mss=mss, is_ipv6=is_ipv6)
    return open_passive(agreement(wanted(parameters, opening, passive=True), syn), syn, 0)


def open_passive(agreed: Agreed, syn: Segment, now_us: int) -> Tcb:
    """The connection that a SYN opens, without its data.

    Differs: RFC 9293 3.10.7.2 would keep "any other incoming control or data (combined with SYN)" for later.
    But for Fast Open, data on a SYN is not acknowledged and left to be sent again, so that no forged SYN can
    make us hold any.
    """
    rcv_nxt = seq_add(agreed.irs, 1)
    tcb = Tcb(
        state=SYN_RECEIVED,
        agreed=agreed,
        snd_una=agreed.iss,
        snd_nxt=seq_add(agreed.iss, 1),
        rcv_nxt=rcv_nxt,
        # RFC 7323 2.2: the window field of a SYN is never scaled.
        snd_wnd=syn.window,
        snd_wl1=Seq(syn.seq),
        max_snd_wnd=syn.window,
        rcv_wnd=first_window(agreed),
        last_ack_sent=rcv_nxt,
        ts_recent=syn.ts_val if agreed.timestamps else 0,
        congestion=initial_congestion(agreed),
        rtx_at_us=now_us + RTO_INITIAL_US,
        rcv_at_us=now_us,
        snd_at_us=now_us,
        rtt_seq=None if agreed.timestamps else seq_add(agreed.iss, 1),
        path=first_path(agreed.parameters),
        rtt_at_us=0 if agreed.timestamps else now_us,
    )
    return adopted(tcb, syn)


def first_syn_ack(tcb: Tcb, now_us: int) -> Segment:
    """The SYN-ACK as it goes once. Source: RFC 9768 3.2.3.2.2: sent again, it is without the AccECN option,
    which may be what kept it from arriving."""
    segment = syn_ack(tcb, now_us)
    has_option = tcb.agreed.accurate_ecn and tcb.agreed.parameters.ecn_option
    return on_syn_ack(segment, tcb.agreed.parameters.ecn_on_all) if has_option else segment


def syn_ack(tcb: Tcb, now_us: int) -> Segment:
    """<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>"""
    agreed = tcb.agreed
    ts_val = ts_value(agreed.ts_offset, now_us) if agreed.timestamps else NO_TIMESTAMP
    segment = syn_ack_of(agreed, tcb.rcv_nxt, tcb.rcv_wnd, (ts_val, tcb.ts_recent), tcb.fast_open)
    return replace(segment, flags=SYN | ACK) if is_syn_ack_plain(tcb) else segment


def syn_ack_of(
    agreed: Agreed, rcv_nxt: Seq, rcv_wnd: int, times: tuple[int, int], opens: FastOpen | None = None
) -> Segment:
    """The SYN-ACK of a connection, whether it has a record or not."""
    options = offer(agreed, opens)
    if agreed.snd_wind_shift == 0 and agreed.rcv_wind_shift == 0:
        options = replace(options, window_scale=-1)
    flags = SYN | ACK | syn_ack_flags(agreed)
    window = rcv_wnd if rcv_wnd < FIELD_MAX else FIELD_MAX
    ts_val, ts_ecr = times
    timeout_s = advertised_s(agreed.parameters) if agreed.parameters.user_timeout_option else 0
    traffic = agreed.traffic_class | ect_of_syn_ack(agreed)
    return Segment(
        agreed.iss, rcv_nxt, flags, window, ts_val, ts_ecr, b"", (), options, 0, traffic, timeout_s
    )
