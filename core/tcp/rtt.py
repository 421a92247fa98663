"""Round-trip time and retransmission timeout.

Source: RFC 6298 2.
"""

import msgspec
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import RoundTrip, Tcb

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


def after_measurement(before: RoundTrip, r_us: int, parameters: TcpParameters) -> RoundTrip:
    """The estimate after a measurement; the same record when nothing changes."""
    srtt_us, rttvar_us = estimate(before.srtt_us, before.rttvar_us, r_us)
    if srtt_us == before.srtt_us and rttvar_us == before.rttvar_us:
        return before
    return RoundTrip(srtt_us, rttvar_us, timeout_us(srtt_us, rttvar_us, parameters))


def measured(tcb: Tcb, r_us: int, now_us: int) -> Tcb:
    """The connection after a round-trip measurement."""
    after = after_measurement(tcb.round_trip, r_us, tcb.agreed.parameters)
    return replace(tcb, round_trip=after, rtt_at_us=now_us)


def backed_off_us(tcb: Tcb) -> int:
    """RTO after `backoff` expiries in a row. Source: RFC 6298 5.5: "The host MUST set RTO <- RTO * 2"."""
    # The exponent is capped before shifting: the seed's table was indexed past its end here.
    return min(tcb.round_trip.rto_us << min(tcb.backoff, 16), tcb.agreed.parameters.rto_max_us)
