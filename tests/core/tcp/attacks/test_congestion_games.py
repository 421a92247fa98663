"""ACKs that lie: no faster, and no more in flight."""

import pytest

from gossamer.core.seq import MASK
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.parameters import TcpParameters

from .besieged import SMSS, hears, segments, sending


def test_ack_division__many_acks_of_one_segment__no_faster_growth() -> None:
    """RFC 3465: octets are counted, not ACKs."""
    whole = sending(100_000)
    divided = whole
    start = whole.congestion.cwnd
    whole, _ = hears(whole, from_peer(whole, ack=whole.snd_una + SMSS - whole.snd_nxt))
    for number in range(SMSS):
        divided, _ = hears(
            divided, from_peer(divided, ack=divided.snd_una + 1 - divided.snd_nxt), NOW_US + number
        )
    assert whole.congestion.cwnd == start + SMSS
    assert divided.congestion.cwnd <= start + SMSS


def test_optimistic_ack__of_what_was_never_sent__never_raises_cwnd() -> None:
    tcb = sending(100_000)
    before = tcb.congestion
    for beyond in (1, SMSS, 100_000):
        tcb, _ = hears(tcb, from_peer(tcb, ack=beyond))
    assert tcb.congestion == before


@pytest.mark.parametrize("sack", [True, False])
def test_dup_ack_spoofing__more_duplicates_than_segments__no_more_is_let_out(sack: bool) -> None:
    """At most what was in flight is taken for gone; forged duplicates buy no unbounded inflation."""
    tcb = sending(500_000, TcpParameters(sack=sack))
    flight, sent = (tcb.snd_nxt - tcb.snd_una) & MASK, 0
    for number in range(5_000):
        tcb, actions = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt), NOW_US + number)
        sent += sum(len(s.payload) for s in segments(actions))
    assert sent <= flight + 3 * SMSS
