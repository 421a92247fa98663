"""Pacing: segments leave at `Congestion.pacing_rate`, a few at a time, not as fast as cwnd lets them.

Owns `Tcb.pace_at_us`, the time from which more may leave. What leaves moves it on by the time that its octets
take at that rate; it is a timer too, and output goes on when it has passed. A connection without a rate never
reads or writes it.

A quantum leaves at once, since a timer for each segment would cost more than it evens out; a timer that comes
late is made up for by at most another quantum. A segment that is sent alone while nothing is in flight
(`calls.send`) is not paced.

Source: draft-cardwell-iccrg-bbr-congestion-control-00 4.2.1, 4.2.2.
"""

from typing import Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import PACING_QUANTUM_BYTES_MAX, PACING_QUANTUM_US, PACING_SLOW_RATE
from gossamer.core.tcp.tcb import Tcb

UNPACED: Final = 1 << 61
"""An allowance that never ends (bytes)."""

SLOW_START_GAIN: Final = 2.0
AVOIDANCE_GAIN: Final = 1.2
"""Of the rate cwnd / SRTT, for algorithms that have no rate of their own: so much more than what cwnd asks
for that it can still grow, as tcp_pacing_ss_ratio and tcp_pacing_ca_ratio in ip-sysctl(7)."""


def quantum_bytes(rate: int, smss: int) -> int:
    """What leaves at once.

    Source: draft-cardwell-iccrg-bbr-congestion-control-00 4.2.2: one segment below 1.2 Mbit/s, two below 24
    Mbit/s, then a millisecond's worth and at most 64 KB. Differs: never less than two above 1.2 Mbit/s.
    """
    if rate < PACING_SLOW_RATE:
        return smss
    return max(2 * smss, min(rate * PACING_QUANTUM_US // SECOND_US, PACING_QUANTUM_BYTES_MAX))


def allowance_bytes(tcb: Tcb, now_us: int) -> int:
    """How much may leave now."""
    rate = tcb.congestion.pacing_rate
    if not rate:
        return UNPACED
    if tcb.pace_at_us > now_us:
        return 0 if tcb.pace_at_us != NEVER_US else quantum_bytes(rate, tcb.agreed.smss)
    quantum = quantum_bytes(rate, tcb.agreed.smss)
    return quantum + min((now_us - tcb.pace_at_us) * rate // SECOND_US, quantum)


def next_at_us(tcb: Tcb, sent_bytes: int, now_us: int) -> int:
    """`pace_at_us` once so much has left, NEVER_US when more may leave at once."""
    rate = tcb.congestion.pacing_rate
    quantum_us = quantum_bytes(rate, tcb.agreed.smss) * SECOND_US // rate
    start_us = now_us if tcb.pace_at_us == NEVER_US else max(tcb.pace_at_us, now_us - quantum_us)
    at_us = start_us + sent_bytes * SECOND_US // rate
    return at_us if at_us > now_us else NEVER_US


def rate_of_window(congestion: Congestion, srtt_us: int) -> int:
    """Bytes a second at which cwnd is spread over a round trip; 0 before one was measured."""
    gain = SLOW_START_GAIN if congestion.cwnd < congestion.ssthresh else AVOIDANCE_GAIN
    return int(gain * congestion.cwnd * SECOND_US) // srtt_us if srtt_us else 0
