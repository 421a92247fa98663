"""A path that BBR knows, and ACKs from it: 1 MB/s, 100 ms, so a bandwidth-delay product of 100 segments."""

from gossamer.core.records import replace
from gossamer.core.seq import Seq
from gossamer.core.tcp.congestion.bbr import Bbr
from gossamer.core.tcp.congestion.bbr.memory import (
    AckPhase,
    Bandwidth,
    Memory,
    MinRtt,
    Mode,
    Probe,
    RoundCount,
)
from gossamer.core.tcp.congestion.control import Ack, Loss
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.delivery_rate import LostRun, Rate
from gossamer.core.tcp.tcb import RoundTrip

SMSS = 1_000
MS = 1_000
SECOND = 1_000_000
RATE = 1_000_000
RTT_US = 100 * MS
BDP = RATE * RTT_US // SECOND
BBR = Bbr()
START_US = SECOND
DELIVERED = 500 * SMSS
"""Before the ACK."""

KNOWN = Memory(
    initial_cwnd=10 * SMSS,
    mode=Mode.PROBE_BW_CRUISE,
    rounds=RoundCount(count=9, ends_at_bytes=DELIVERED, delivered_bytes=DELIVERED),
    bandwidth=Bandwidth(cycle_max=RATE, previous_max=RATE, full=RATE, is_full_now=True, is_full_reached=True),
    min_rtt=MinRtt(RTT_US, START_US, RTT_US, START_US),
    probe=Probe(cycle_at_us=START_US, wait_us=2 * SECOND),
)
"""In the middle of ProbeBW."""

UP = replace(
    KNOWN,
    mode=Mode.PROBE_BW_UP,
    bandwidth=replace(KNOWN.bandwidth, is_full_now=False),
    probe=replace(KNOWN.probe, is_sample=True, acks=AckPhase.PROBE_FEEDBACK),
)
"""Trying for more, and hearing of it."""


def on(memory: Memory, cwnd: int = 2 * BDP) -> Congestion:
    """The record of a connection that remembers this."""
    return Congestion(cwnd, every_ack=True, pacing_rate=RATE, memory=memory)


def acked(
    now_us: int = START_US + 1,
    rate: int = RATE,
    starts_round: bool = False,
    limited: bool = False,
    in_flight: int = BDP,
    lost_since: int = 0,
    **values: object,
) -> Ack:
    """An ACK of two segments, a bandwidth-delay product left in flight."""
    total = int(values.pop("delivered_total", DELIVERED + 2 * SMSS))  # type: ignore[call-overload]  # an int
    sample = Rate(
        delivered_bytes=rate * RTT_US // SECOND,
        interval_us=RTT_US,
        prior_bytes=total - 2 * SMSS if starts_round else 0,
        is_app_limited=limited,
        round_trip_us=RTT_US,
        in_flight_bytes=in_flight,
        lost_bytes=lost_since,
    )
    fields = {"acked_bytes": 2 * SMSS, "delivered_bytes": 2 * SMSS, "pipe_bytes": BDP, "flight_bytes": BDP}
    fields |= {"snd_una": Seq(1), "snd_nxt": Seq(2), "rate": sample, "delivered_total": total}
    fields |= {"round_trip": RoundTrip(RTT_US), "smss": SMSS, "now_us": now_us} | values
    return Ack(**fields)  # type: ignore[arg-type]  # kwargs of Ack


def lost_in(in_flight: int, lost: int, limited: bool = False) -> LostRun:
    """Of a run that was sent with so much in flight; so much was lost since."""
    return LostRun(in_flight, lost, limited)


def hears(congestion: Congestion, ack: Ack) -> Congestion:
    """After the ACK."""
    return BBR.on_ack(congestion, ack)


def sign(flight: int = BDP, now_us: int = START_US + 1) -> Loss:
    """Of congestion."""
    return Loss(now_us=now_us, flight_bytes=flight, smss=SMSS)
