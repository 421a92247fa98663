"""A quiet connection in few octets: nothing in flight, nothing buffered, nothing being recovered.

    pack(tcb) -> numbers | None                        None: it is not quiet
    unpack(numbers, records(tcb), parameters) == tcb

Owns which connections are quiet, and the layout of their numbers. The record of the congestion control and
the parameters stay records, which most connections share, and so do the rare ones that a loss or a mark has
left. `core.tcp.codec` writes every connection, all of it; here a quiet one takes a sixth of what it takes as
records.
"""

import struct
from typing import Any, Final

import msgspec

from gossamer.core.seq import Seq
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.tcb import Agreed, RoundTrip, State, Tcb

replace = msgspec.structs.replace

NUMBERS: Final = struct.Struct("=11I8Q7I2H3B")
"""The numbers of a quiet connection, without gaps: 143 octets, so that a `bytes` of them takes 176."""

SHIFT_BITS: Final = 4
"""Of a window's shift, which is at most 14."""
SHIFT_MASK: Final = (1 << SHIFT_BITS) - 1

NO_AGREEMENT: Final = Agreed(DEFAULT_PARAMETERS, Seq(0))
NO_CONGESTION: Final = Congestion(0)
NO_ROUND_TRIP: Final = RoundTrip()
QUIET: Final = Tcb(snd_una=Seq(0), snd_nxt=Seq(0), state=State.ESTABLISHED, agreed=NO_AGREEMENT)
"""What is left of every quiet connection without its numbers."""

Records = Congestion | tuple[Any, ...]
"""The congestion control's; behind it, where there is any, what else a connection may have kept while it is
quiet: `undo`, `rack`, `ecn`, `delivery`, `path`, `soft_error`, `user_timeout`, `send_limits`."""

NO_RARE: Final = (None,) * 8

TIMESTAMPS, SACK, PASSIVE, ECN, IPV6, ECT_BITS_AT = 1, 2, 4, 8, 16, 5
"""The bits of the last octet; above them the codepoint `Agreed.ect`."""


def pack(tcb: Tcb) -> bytes | None:
    """The numbers of a quiet connection; None of any other, or where one of them finds no room."""
    if not is_quiet(tcb):
        return None
    agreed, trip = tcb.agreed, tcb.round_trip
    try:
        return NUMBERS.pack(
            tcb.rcv_nxt,
            tcb.snd_una,
            tcb.snd_wl1,
            tcb.ts_recent,
            agreed.iss,
            agreed.irs,
            agreed.ts_offset,
            tcb.snd_wnd,
            tcb.rcv_wnd,
            tcb.max_snd_wnd,
            tcb.retransmits_total,
            tcb.rcv_at_us,
            tcb.snd_at_us,
            tcb.rtt_at_us,
            tcb.slow_at_us,
            tcb.challenge_at_us,
            trip.min_since_us,
            tcb.rcv_text_at_us,
            tcb.busy_us,
            trip.srtt_us,
            trip.rttvar_us,
            trip.rto_us,
            trip.pto_us,
            trip.pto_one_us,
            trip.min_us,
            trip.min_next_us,
            agreed.smss,
            agreed.rmss,
            agreed.snd_wind_shift << SHIFT_BITS | agreed.rcv_wind_shift,
            agreed.traffic_class,
            bits(agreed),
        )
    except struct.error:
        return None


def bits(agreed: Agreed) -> int:
    """What was agreed to, in an octet."""
    return (
        TIMESTAMPS * agreed.timestamps
        | SACK * agreed.sack
        | PASSIVE * agreed.passive
        | ECN * agreed.ecn
        | IPV6 * agreed.is_ipv6
        | agreed.ect << ECT_BITS_AT
    )


def is_quiet(tcb: Tcb) -> bool:
    """Whether all but the numbers of a connection is as in QUIET: so a field that is new there keeps a
    connection awake until it is packed here."""
    agreed = tcb.agreed
    if tcb.snd_una != tcb.snd_nxt or tcb.last_ack_sent != tcb.rcv_nxt or agreed.accurate_ecn:
        return False
    if agreed.syn_text_bytes or agreed.syn_taken_bytes:
        # A client's, whose first words went with its SYN: few are kept quiet for long.
        return False
    without_numbers = replace(
        tcb,
        rcv_nxt=0,
        snd_una=0,
        snd_nxt=0,
        snd_wl1=0,
        last_ack_sent=0,
        ts_recent=0,
        snd_wnd=0,
        rcv_wnd=0,
        max_snd_wnd=0,
        retransmits_total=0,
        rcv_at_us=0,
        snd_at_us=0,
        rtt_at_us=0,
        slow_at_us=QUIET.slow_at_us,
        challenge_at_us=0,
        round_trip=NO_ROUND_TRIP,
        congestion=NO_CONGESTION,
        agreed=NO_AGREEMENT,
        undo=None,
        rack=None,
        ecn=None,
        delivery=None,
        path=None,
        soft_error=None,
        user_timeout=None,
        rcv_text_at_us=0,
        busy_us=0,
        send_limits=None,
    )
    return without_numbers == QUIET


def records(tcb: Tcb) -> Records:
    """What of a quiet connection stays a record."""
    rare = (
        tcb.undo,
        tcb.rack,
        tcb.ecn,
        tcb.delivery,
        tcb.path,
        tcb.soft_error,
        tcb.user_timeout,
        tcb.send_limits,
    )
    return tcb.congestion if rare == NO_RARE else (tcb.congestion, *rare)


def unpack(numbers: bytes, kept: Records, parameters: TcpParameters) -> Tcb:
    """The connection again."""
    if isinstance(kept, tuple):
        congestion, undo, rack, ecn, delivery, path, soft_error, user_timeout, limits = kept
        return replace(
            unpack(numbers, congestion, parameters),
            undo=undo,
            rack=rack,
            ecn=ecn,
            delivery=delivery,
            path=path,
            soft_error=soft_error,
            user_timeout=user_timeout,
            send_limits=limits,
        )
    found = NUMBERS.unpack(numbers)
    rcv_nxt, snd_una, snd_wl1, ts_recent, iss, irs, ts_offset = found[:7]
    snd_wnd, rcv_wnd, max_snd_wnd, retransmits_total = found[7:11]
    rcv_at_us, snd_at_us, rtt_at_us, slow_at_us, challenge_at_us, min_since_us = found[11:17]
    rcv_text_at_us, busy_us = found[17:19]
    srtt_us, rttvar_us, rto_us, pto_us, pto_one_us, min_us, min_next_us = found[19:26]
    smss, rmss, shifts, traffic_class, agreed_bits = found[26:]
    return Tcb(
        rcv_nxt=rcv_nxt,
        snd_una=snd_una,
        snd_nxt=snd_una,
        rcv_at_us=rcv_at_us,
        snd_wl1=snd_wl1,
        ts_recent=ts_recent,
        last_ack_sent=rcv_nxt,
        snd_at_us=snd_at_us,
        snd_wnd=snd_wnd,
        round_trip=RoundTrip(
            srtt_us, rttvar_us, rto_us, pto_us, pto_one_us, min_us, min_next_us, min_since_us
        ),
        rcv_wnd=rcv_wnd,
        congestion=kept,
        state=State.ESTABLISHED,
        agreed=Agreed(
            parameters,
            iss,
            irs,
            smss,
            rmss,
            shifts >> SHIFT_BITS,
            shifts & SHIFT_MASK,
            agreed_bits & TIMESTAMPS > 0,
            agreed_bits & SACK > 0,
            ts_offset,
            agreed_bits & PASSIVE > 0,
            agreed_bits & ECN > 0,
            agreed_bits >> ECT_BITS_AT,
            agreed_bits & IPV6 > 0,
            traffic_class,
        ),
        max_snd_wnd=max_snd_wnd,
        rtt_at_us=rtt_at_us,
        slow_at_us=slow_at_us,
        challenge_at_us=challenge_at_us,
        retransmits_total=retransmits_total,
        rcv_text_at_us=rcv_text_at_us,
        busy_us=busy_us,
    )
