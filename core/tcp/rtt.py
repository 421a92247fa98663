"""Round-trip time, and how long to wait for an ACK: retransmission timeout, tail loss probe.

Source: RFC 6298 2, RFC 8985 6.2 (step 1) and 7.2, RFC 4015 3.2.
"""

import msgspec

from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp.constants import MIN_RTT_WINDOW_US, TAIL_PROBE_ACK_DELAY_US, TAIL_PROBE_GRAIN_US
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery.tail_loss_probe import is_settled
from gossamer.core.tcp.tcb import RoundTrip, State, Tcb

replace = msgspec.structs.replace


def estimate(srtt_us: int, rttvar_us: int, r_us: int) -> tuple[int, int]:
    """SRTT and RTTVAR after the measurement R. Source: RFC 6298 2.2, 2.3."""
    if srtt_us == 0:
        return max(r_us, 1), r_us // 2
    # "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|; SRTT <- (1 - alpha) * SRTT + alpha * R'", beta 1/4,
    # alpha 1/8.
    deviation_us = r_us - srtt_us if r_us > srtt_us else srtt_us - r_us
    return (srtt_us + ((r_us - srtt_us) >> 3)) or 1, rttvar_us + ((deviation_us - rttvar_us) >> 2)


def timeout_us(srtt_us: int, rttvar_us: int, parameters: TcpParameters) -> int:
    """RTO. Source: RFC 6298 2.3 to 2.5: "RTO <- SRTT + max (G, K*RTTVAR)", K = 4, between a floor and a
    ceiling."""
    least_us = parameters.rto_variance_min_us
    rto_us = srtt_us + (4 * rttvar_us if 4 * rttvar_us > least_us else least_us)
    if rto_us < parameters.rto_min_us:
        return parameters.rto_min_us
    return rto_us if rto_us < parameters.rto_max_us else parameters.rto_max_us


def round_trip_of(
    srtt_us: int, rttvar_us: int, parameters: TcpParameters, *, probes: bool, smallest: tuple[int, int, int]
) -> RoundTrip:
    """The record of an estimate. `smallest` is (min_us, min_next_us, min_since_us).

    Source: RFC 8985 7.2: "PTO = 2 * SRTT; If FlightSize is one segment: PTO += TLP.max_ack_delay", never
    beyond the retransmission timeout.
    """
    rto_us = timeout_us(srtt_us, rttvar_us, parameters)
    # Not `*smallest`: that would be a tuple, a list and a call by name in native code.
    least_us, next_us, since_us = smallest
    if not probes:
        return RoundTrip(srtt_us, rttvar_us, rto_us, rto_us, rto_us, least_us, next_us, since_us)
    pto_us = 2 * srtt_us + TAIL_PROBE_GRAIN_US
    one_us = min(2 * srtt_us + TAIL_PROBE_ACK_DELAY_US, rto_us)
    return RoundTrip(srtt_us, rttvar_us, rto_us, min(pto_us, rto_us), one_us, least_us, next_us, since_us)


def smallest_after(before: RoundTrip, r_us: int, now_us: int) -> tuple[int, int, int]:
    """RACK.min_RTT, over a window that moves on by halves: one smallest is believed while the next is
    gathered."""
    r_us = max(r_us, 1)
    if now_us - before.min_since_us >= MIN_RTT_WINDOW_US or not before.min_us:
        return min(before.min_next_us or r_us, r_us), r_us, now_us
    return min(before.min_us, r_us), min(before.min_next_us, r_us), before.min_since_us


def measured(tcb: Tcb, r_us: int, now_us: int) -> Tcb:
    """The connection after a round-trip measurement; with the same record when nothing changes."""
    held = tcb.round_trip
    srtt_us, rttvar_us = estimate(held.srtt_us, held.rttvar_us, r_us)
    is_smallest = r_us < held.min_next_us or now_us - held.min_since_us >= MIN_RTT_WINDOW_US
    if srtt_us == held.srtt_us and rttvar_us == held.rttvar_us and not is_smallest:
        return replace(tcb, rtt_at_us=now_us)
    smallest = (held.min_us, held.min_next_us, held.min_since_us)
    if is_smallest or not held.min_us:
        smallest = smallest_after(held, r_us, now_us)
    parameters, probes = tcb.agreed.parameters, can_probe(tcb)
    after = round_trip_of(srtt_us, rttvar_us, parameters, probes=probes, smallest=smallest)
    return replace(tcb, round_trip=after, rtt_at_us=now_us)


def without_measurement(tcb: Tcb) -> Tcb:
    """After timeouts, an ACK of new data that measured nothing: the timeout stays backed off until one does,
    since the round trip may have become longer than it was.

    Source: P. Karn and C. Partridge, "Improving round-trip time estimates in reliable transport protocols",
    SIGCOMM 1987, 3.
    """
    held = tcb.round_trip
    rto_us = backed_off_us(tcb) - tcb.agreed.parameters.deviations.rto_slop_us
    smallest = (held.min_us, held.min_next_us, held.min_since_us)
    return replace(tcb, round_trip=RoundTrip(held.srtt_us, held.rttvar_us, rto_us, rto_us, rto_us, *smallest))


def after_spurious_timeout(tcb: Tcb, r_us: int) -> RoundTrip:
    """The estimate after a timeout that was for nothing, from the round-trip time that was too long for it.

    Source: RFC 4015 3.2 (7): "SRTT <- max(SRTT, RTT-SAMPLE); RTTVAR <- max(RTTVAR, RTT-SAMPLE/2)".
    """
    held = tcb.round_trip
    srtt_us, rttvar_us = max(held.srtt_us, r_us), max(held.rttvar_us, r_us // 2)
    smallest = (held.min_us, held.min_next_us, held.min_since_us)
    parameters = tcb.agreed.parameters
    return round_trip_of(srtt_us, rttvar_us, parameters, probes=can_probe(tcb), smallest=smallest)


def backed_off_us(tcb: Tcb) -> int:
    """RTO after `backoff` expiries in a row. Source: RFC 6298 5.5: "The host MUST set RTO <- RTO * 2"; the
    first of a SYN may be left out by `syn_linear_retries`."""
    parameters, doublings = tcb.agreed.parameters, tcb.backoff
    if tcb.state is State.SYN_SENT:
        doublings = max(doublings - parameters.syn_linear_retries, 0)
    # The exponent is capped before shifting: the seed's table was indexed past its end here.
    wait_us = (tcb.round_trip.rto_us << min(doublings, 16)) + parameters.deviations.rto_slop_us
    return min(wait_us, parameters.rto_max_us)


def can_probe(tcb: Tcb) -> bool:
    """Whether tail loss probes are sent. RFC 8985 4: they need SACK, and RACK to make use of the answer."""
    parameters = tcb.agreed.parameters
    return tcb.agreed.sack and parameters.rack and parameters.tail_loss_probe


def is_probe_due(tcb: Tcb) -> bool:
    """Whether the timer is that of a tail loss probe.

    Source: RFC 8985 7.2: "The connection is not in loss recovery", "The most recently transmitted data was
    not itself a TLP probe"; and nothing is reported by SACK.
    """
    if not can_probe(tcb) or tcb.backoff or tcb.state <= State.SYN_RECEIVED:
        return False
    if tcb.snd_una == tcb.snd_nxt:
        return False
    return tcb.recovery is None or is_settled(tcb.recovery, tcb.snd_una)


def wait_us(tcb: Tcb) -> int:
    """How long to wait for an ACK of what is in flight: PTO while a tail loss probe may go, else RTO."""
    return (
        _probe_wait_us(tcb, (tcb.snd_nxt - tcb.snd_una) & MASK) if is_probe_due(tcb) else backed_off_us(tcb)
    )


def _probe_wait_us(tcb: Tcb, flight_bytes: int) -> int:
    # A FIN may ride on a full segment.
    is_one = flight_bytes <= tcb.agreed.smss + 1
    return tcb.round_trip.pto_one_us if is_one else tcb.round_trip.pto_us


def expires_after_ack_us(tcb: Tcb, now_us: int) -> int:
    """When the timer expires after an ACK that leaves something in flight.

    Source: RFC 6298 5.3; RFC 8985 7.2.
    """
    if not is_probe_due(tcb):
        return now_us + backed_off_us(tcb)
    return probe_at_us(tcb, (tcb.snd_nxt - tcb.snd_una) & MASK, now_us)


def probe_at_us(tcb: Tcb, flight_bytes: int, now_us: int) -> int:
    """PTO after an ACK that leaves so much in flight.

    Differs: RFC 8985 7.2 starts it anew with the ACK. Here it runs from when the last segment was sent, as
    RFC 9002 6.2.1 has it: the ACK of an earlier one says nothing new of that. The retransmission timeout that
    bounds it runs from when the first was sent (RFC 7765 4). A round trip from now there is time in any case:
    on a slow line the ACKs of a flight come one after the other.
    """
    held, runs = tcb.round_trip, tcb.transmissions
    first_us = runs[0].sent_at_us if runs else tcb.snd_at_us
    expires_us = min(tcb.snd_at_us + _probe_wait_us(tcb, flight_bytes), first_us + held.rto_us)
    return max(expires_us, now_us + held.srtt_us)


def expires_after_sending_us(tcb: Tcb, snd_nxt: Seq, now_us: int) -> int:
    """When the timer, which runs, expires once new data up to `snd_nxt` has left; `tcb` is the connection
    before.

    Source: RFC 8985 7.2: "after transmitting new data" PTO is started anew. RFC 6298 5.1: the retransmission
    timeout is not, and PTO never passes it. What was armed for one segment, whose ACK the peer may delay,
    ends sooner once a second one follows.
    """
    if not is_probe_due(tcb):
        return tcb.rtx_at_us
    held, runs = tcb.round_trip, tcb.transmissions
    first_us = runs[0].sent_at_us if runs else tcb.snd_at_us
    pto_us = _probe_wait_us(tcb, (snd_nxt - tcb.snd_una) & MASK)
    return min(now_us + pto_us, max(tcb.rtx_at_us, first_us + held.rto_us))
