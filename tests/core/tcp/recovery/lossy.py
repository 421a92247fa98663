"""What the tests of loss recovery share: segments in flight on a path of 100 ms, and the peer's reports."""

from gossamer.core.records import replace
from gossamer.core.seq import Seq, seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, send
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import RoundTrip, Tcb
from gossamer.core.wire.segment import SackBlock, Segment

SMSS = 1448
MS = 1_000
RTT_US = 100 * MS
NEWRENO = TcpParameters(congestion="newreno")
ON_THE_WAY = RoundTrip(RTT_US, 5 * MS, 300 * MS, 200 * MS, 300 * MS, RTT_US, RTT_US, NOW_US)
"""Measured: SRTT 100 ms, RTO 300 ms, PTO 200 ms, min_RTT 100 ms."""


def in_flight(count: int, parameters: TcpParameters = NEWRENO, more: int = 0) -> Tcb:
    """So many full segments sent at NOW_US, `more` behind them that cwnd does not let out."""
    tcb = replace(states.established(parameters), round_trip=ON_THE_WAY)
    tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=count * SMSS))
    tcb, sent = send(tcb, b"x" * (count + more) * SMSS)
    assert len(sent) == count
    return tcb


def at(tcb: Tcb, segments: int) -> Seq:
    """The sequence number so many segments after SND.UNA."""
    return seq_add(tcb.snd_una, segments * SMSS)


def report(tcb: Tcb, acked: int, *blocks: tuple[int, int], sent_at_us: int | None = None) -> Segment:
    """An ACK of so many segments that reports blocks, all counted from SND.UNA; it echoes what was sent
    then."""
    sack: tuple[SackBlock, ...] = tuple((at(tcb, a), at(tcb, b)) for a, b in blocks)
    segment = replace(from_peer(tcb, sack=sack), ack=at(tcb, acked))
    if sent_at_us is None:
        return segment
    return replace(segment, ts_ecr=(sent_at_us // MS + tcb.agreed.ts_offset) & 0xFFFFFFFF)


def places(tcb: Tcb, segments: list[Segment]) -> list[int]:
    """Which segments from SND.UNA these are."""
    return [((segment.seq - tcb.snd_una) & 0xFFFFFFFF) // SMSS for segment in segments]
