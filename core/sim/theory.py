"""What a path allows, by formula: the figures that stand beside the measured ones.

Owns the formulas, in bytes, seconds and bits a second. Pure; it knows nothing of a simulation.

Source: named at each function.
"""

from math import inf, sqrt
from typing import Final

SECOND_US: Final = 1e6
SEGMENTS_PER_GROWTH: Final = 1
"""b of the formulas: round trips in which cwnd grows by a segment. The papers take 2 where the receiver
delays its ACKs; a sender that counts bytes and not ACKs (RFC 3465) grows as fast as without."""

CUBIC_C: Final = 0.4
CUBIC_BETA: Final = 0.7

BBR_RENO_ROUNDS: Final = 62.5
BBR_WAIT_S: Final = 2.5
"""Round trips and seconds between two of BBR's probes at most, at their mean."""


def bandwidth_delay_bytes(rate_bps: float, rtt_us: float) -> float:
    """What is on the way when the path is full."""
    return rate_bps * rtt_us / SECOND_US / 8


def payload_share(mss_bytes: int, headers_bytes: int) -> float:
    """The part of a line's rate that is left for payload."""
    return mss_bytes / (mss_bytes + headers_bytes)


def window_bps(window_bytes: float, rtt_us: float) -> float:
    """A window a round trip: what a buffer allows, whatever the line."""
    return window_bytes * 8 * SECOND_US / rtt_us


def mathis_bps(mss_bytes: int, rtt_us: float, loss: float) -> float:
    """NewReno with random losses, each recovered without a timeout, as SACK makes possible.

    Source: Mathis, Semke, Mahdavi, Ott 1997: MSS/RTT * sqrt(3/2bp).
    """
    return mss_bytes * 8 * SECOND_US / rtt_us * sqrt(3 / (2 * SEGMENTS_PER_GROWTH * loss)) if loss else inf


def pftk_bps(mss_bytes: int, rtt_us: float, loss: float, rto_us: float) -> float:
    """NewReno without SACK: a loss takes the rest of its window with it, and timeouts count.

    Source: Padhye, Firoiu, Towsley, Kurose 1998, equation (30); RFC 5348 3.1.
    """
    if not loss:
        return inf
    round_trip_s, rto_s, b = rtt_us / SECOND_US, rto_us / SECOND_US, SEGMENTS_PER_GROWTH
    timeouts = rto_s * min(1.0, 3 * sqrt(3 * b * loss / 8)) * loss * (1 + 32 * loss * loss)
    return mss_bytes * 8 / (round_trip_s * sqrt(2 * b * loss / 3) + timeouts)


def cubic_bps(mss_bytes: int, rtt_us: float, loss: float) -> float:
    """CUBIC with random losses; where NewReno would be faster, CUBIC goes as that does.

    Source: RFC 9438 5.1: "AVG_W_cubic = (C * (3 + beta) / (4 * (1 - beta)))^(1/4) * RTT^(3/4) / p^(3/4)", in
    segments; the Reno-friendly region is 4.3.
    """
    if not loss:
        return inf
    scale = (CUBIC_C * (3 + CUBIC_BETA) / (4 * (1 - CUBIC_BETA))) ** 0.25
    segments = scale * (rtt_us / SECOND_US) ** 0.75 / loss**0.75
    return max(window_bps(segments * mss_bytes, rtt_us), mathis_bps(mss_bytes, rtt_us, loss))


def bbr_bps(mss_bytes: int, rtt_us: float, loss: float, rate_bps: float) -> float:
    """BBR's model of the path is its bottleneck's bandwidth; between two probes, each round trip leaves what
    it has delivered. Where no more than a hundredth is lost the next probe finds all of it again; with more
    it finds less than that, and has less than is said here.

    Source: draft-ietf-ccwg-bbr-06 5.3.3.8.3: after N round trips the rate is "(1 - loss_rate)^N" of what it
    was; N is that of 5.3.3.8.2, at its mean.
    """
    if not loss:
        return rate_bps
    segments = bandwidth_delay_bytes(rate_bps, rtt_us) / mss_bytes
    rounds = max(min(segments, BBR_RENO_ROUNDS, BBR_WAIT_S * SECOND_US / rtt_us), 1.0)
    left = float((1 - loss) ** rounds)
    return rate_bps * (1 - loss) * (1 - left) / (rounds * loss)


def loss_bps(congestion: str, mss_bytes: int, rtt_us: float, loss: float, rate_bps: float) -> float:
    """What random loss leaves to an algorithm by its own model; nothing is known of one without a model."""
    if congestion == "newreno":
        return mathis_bps(mss_bytes, rtt_us, loss)
    if congestion == "cubic":
        return cubic_bps(mss_bytes, rtt_us, loss)
    return bbr_bps(mss_bytes, rtt_us, loss, rate_bps) if congestion == "bbr" and rate_bps else inf


def jain(shares: list[float]) -> float:
    """1 when all shares are equal, 1/n when one has all. Source: Jain, Chiu, Hawe 1984."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0
