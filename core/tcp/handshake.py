"""What a SYN offers, and what two SYNs agree on.

Source: RFC 9293 3.7.1 (MSS), RFC 7323 2 and 3, RFC 2018 2, RFC 3168 6.1.1.
"""

from functools import lru_cache

import msgspec

from gossamer.core.seq import Seq
from gossamer.core.tcp import accurate_ecn
from gossamer.core.tcp.constants import (
    MSS_DEFAULT_IPV4,
    MSS_DEFAULT_IPV6,
    MSS_FLOOR,
    RTO_AFTER_LOST_SYN_US,
    WINDOW_SCALE_MAX,
)
from gossamer.core.tcp.ecn import is_setup
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Agreed, FastOpen, RoundTrip, Tcb
from gossamer.core.wire.segment import ECN_BITS, ECT_0, NO_TIMESTAMP, NOT_ECT, Segment, SynOptions

TIMESTAMP_OPTION_BYTES = 12
NO_OPTIONS = SynOptions()
UNMEASURED = RoundTrip(
    rto_us=RTO_AFTER_LOST_SYN_US, pto_us=RTO_AFTER_LOST_SYN_US, pto_one_us=RTO_AFTER_LOST_SYN_US
)
replace = msgspec.structs.replace


@lru_cache(maxsize=64)
def window_shift(receive_buffer_bytes: int) -> int:
    """The least shift with which the whole receive buffer can be offered. Source: RFC 7323 2.3."""
    shift = 0
    while receive_buffer_bytes >> shift > 0xFFFF and shift < WINDOW_SCALE_MAX:
        shift += 1
    return shift


@lru_cache(maxsize=1024)
def _syn_options(mss: int, window_scale: int, sack_permitted: bool) -> SynOptions:
    return SynOptions(mss, window_scale, sack_permitted)


def offer(agreed: Agreed, fast_open: FastOpen | None = None) -> SynOptions:
    """The options of the SYN or SYN-ACK of a connection, as far as it (still) wants them."""
    scale = agreed.rcv_wind_shift if agreed.rcv_wind_shift >= 0 else -1
    options = _syn_options(agreed.rmss, scale, agreed.sack)
    if fast_open is None or fast_open.cookie is None:
        return options
    return replace(options, cookie=fast_open.cookie, is_cookie_experimental=fast_open.is_experimental)


def wanted(parameters: TcpParameters, opening: Opening, passive: bool = False) -> Agreed:
    """What we would like, before the peer has spoken. A shift of -1 means that window scaling is off."""
    shift = window_shift(parameters.receive_buffer_bytes) if parameters.window_scaling else -1
    return Agreed(
        parameters=parameters,
        iss=Seq(opening.iss),
        rmss=opening.mss,
        smss=MSS_DEFAULT_IPV6 if opening.is_ipv6 else MSS_DEFAULT_IPV4,
        rcv_wind_shift=shift,
        timestamps=parameters.timestamps,
        sack=parameters.sack,
        ts_offset=opening.ts_offset,
        passive=passive,
        ecn=parameters.ecn in ("on", "accurate") or (passive and parameters.ecn == "passive"),
        is_ipv6=opening.is_ipv6,
        traffic_class=parameters.dscp << ECN_BITS,
        accurate_ecn=accurate_ecn.NOT_ECT_CODE if parameters.ecn == "accurate" else 0,
    )


def agreement(wish: Agreed, syn: Segment) -> Agreed:
    """What holds once the peer's SYN is known: an option is in use when both sides named it."""
    options = syn.syn_options or NO_OPTIONS
    timestamps = wish.timestamps and syn.ts_val != NO_TIMESTAMP
    scaling = wish.rcv_wind_shift >= 0 and options.window_scale >= 0
    ecn = wish.ecn and is_setup(syn)
    peer_mss = max(options.mss, MSS_FLOOR) if options.mss else wish.smss
    # RFC 9293 3.7.1: Eff.snd.MSS = min(SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize. A segment never
    # outgrows the send buffer, so that whoever asks only for a segment's room keeps to that bound too.
    largest = min(peer_mss, wish.rmss) - (TIMESTAMP_OPTION_BYTES if timestamps else 0)
    smss = min(largest, wish.parameters.send_buffer_bytes)
    agreed = replace(
        wish,
        irs=Seq(syn.seq),
        smss=smss,
        # RFC 7323 2.3: "If a Window Scale option is received with a shift.cnt value larger than 14, the TCP
        # SHOULD log the error but MUST use 14 instead of the specified value."
        snd_wind_shift=min(options.window_scale, WINDOW_SCALE_MAX) if scaling else 0,
        rcv_wind_shift=wish.rcv_wind_shift if scaling else 0,
        timestamps=timestamps,
        sack=wish.sack and options.sack_permitted,
        ecn=ecn,
        ect=ECT_0 if ecn else NOT_ECT,
    )
    if not wish.accurate_ecn:
        return agreed
    if accurate_ecn.is_setup(syn):
        return accurate_ecn.agreement(agreed, syn, ECT_0)
    # RFC 9768 3.1.1, table 2: a peer that knows classic ECN alone has that.
    return replace(agreed, accurate_ecn=0)


def after_lost_syn(tcb: Tcb) -> Tcb:
    """A connection whose SYN was sent more than once begins with care.

    Source: RFC 5681 3.1: "If the SYN or SYN/ACK is lost, the initial window [...] MUST be one segment"; RFC
    6298 5.7: without a measurement "the RTO MUST be re-initialized to 3 seconds".
    """
    measured = tcb.round_trip.srtt_us > 0
    round_trip = tcb.round_trip if measured else UNMEASURED
    return replace(tcb, congestion=replace(tcb.congestion, cwnd=tcb.agreed.smss), round_trip=round_trip)
