"""Round-trip time and retransmission timeout.

Source: RFC 6298 2.
"""

import msgspec
from gossamer.core.tcp.parameters import CLOCK_GRANULARITY_US, TcpParameters
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def estimate(srtt_us: int, rttvar_us: int, r_us: int) -> tuple[int, int]:
    """SRTT and RTTVAR after the measurement R. Source: RFC 6298 2.2, 2.3."""
    if srtt_us == 0:
        return max(r_us, 1), r_us // 2
    # "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|; SRTT <- (1 - alpha) * SRTT + alpha * R'", beta 1/4, alpha 1/8.
    return max(srtt_us + ((r_us - srtt_us) >> 3), 1), rttvar_us + ((abs(srtt_us - r_us) - rttvar_us) >> 2)


def timeout_us(srtt_us: int, rttvar_us: int, parameters: TcpParameters) -> int:
    """RTO. Source: RFC 6298 2.3 to 2.5: "RTO <- SRTT + max (G, K*RTTVAR)", K = 4, between a floor and a ceiling."""
    rto_us = srtt_us + max(CLOCK_GRANULARITY_US, 4 * rttvar_us)
    return min(max(rto_us, parameters.rto_min_us), parameters.rto_max_us)


def measured(tcb: Tcb, r_us: int) -> Tcb:
    """The connection after a round-trip measurement."""
    srtt_us, rttvar_us = estimate(tcb.srtt_us, tcb.rttvar_us, r_us)
    rto_us = timeout_us(srtt_us, rttvar_us, tcb.agreed.parameters)
    return replace(tcb, srtt_us=srtt_us, rttvar_us=rttvar_us, rto_us=rto_us)


def backed_off_us(tcb: Tcb) -> int:
    """RTO after `backoff` expiries in a row. Source: RFC 6298 5.5: "The host MUST set RTO <- RTO * 2"."""
    # The exponent is capped before shifting: the seed's table was indexed past its end here.
    return min(tcb.rto_us << min(tcb.backoff, 16), tcb.agreed.parameters.rto_max_us)
