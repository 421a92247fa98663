"""Proportional rate reduction: RFC 9937 6."""

import pytest

from gossamer.core.sim.states import NOW_US, segment_arrives, stepped
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.recovery.proportional_rate import send_count
from gossamer.core.tcp.timeouts import deadline_us

from .lossy import MS, RTT_US, SMSS, in_flight, places, replace, report


@pytest.mark.parametrize(
    ("delivered", "out", "pipe", "arrived", "extra", "count"),
    [
        # Proportional: half leaves of what arrives while pipe is above ssthresh.
        (2_000, 0, 15_000, 1_000, 0, 1_000),
        (3_000, 1_000, 15_000, 1_000, 0, 500),
        (3_000, 1_500, 15_000, 1_000, 0, 0),
        # Below ssthresh: what has arrived and was not answered, never more than there is room.
        (9_000, 5_000, 6_000, 1_000, 0, 4_000),
        (9_000, 9_000, 6_000, 1_000, 0, 1_000),
        (9_000, 9_000, 6_000, 1_000, 1_448, 2_448),
        (9_000, 2_000, 9_500, 1_000, 1_448, 500),
    ],
)
def test_send_count__ssthresh_is_half_of_recover_fs(
    delivered: int, out: int, pipe: int, arrived: int, extra: int, count: int
) -> None:
    found = send_count(
        delivered, out, 20_000, arrived_bytes=arrived, pipe=pipe, ssthresh=10_000, extra_bytes=extra
    )
    assert found == count


def test_recovery__one_loss_of_20__one_segment_for_two_and_ends_at_ssthresh() -> None:
    """RFC 9937 7's example: neither a burst nor half a round trip of silence."""
    tcb = in_flight(20, more=40)
    now_us, sent_each = NOW_US + RTT_US, []
    for end in range(2, 21):
        tcb, sent = segment_arrives(tcb, report(tcb, 0, (1, end)), now_us)
        sent_each.append(len(sent))
        now_us += MS
    in_recovery = sent_each[2:]
    assert max(in_recovery) <= 1
    assert 8 <= sum(in_recovery) <= 11
    assert all(sum(in_recovery[n : n + 3]) >= 1 for n in range(len(in_recovery) - 3))
    tcb, _ = segment_arrives(tcb, report(tcb, 22), now_us + RTT_US)
    assert tcb.recovery is None
    assert tcb.congestion.cwnd == tcb.congestion.ssthresh == 10 * SMSS


def test_every_ack__keeps_its_own_cwnd() -> None:
    tcb = in_flight(10)
    congestion = replace(tcb.congestion, every_ack=True)
    tcb, _ = segment_arrives(replace(tcb, congestion=congestion), report(tcb, 0, (1, 4)), NOW_US + RTT_US)
    assert tcb.recovery is not None
    assert tcb.recovery.prr_delivered == 0


def test_begun__nothing_in_the_network__two_go() -> None:
    """After a tail loss probe: four in flight, three of them lost, and ssthresh of two."""
    tcb = in_flight(4)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (3, 4)), NOW_US + 3 * RTT_US)
    assert places(tcb, sent) == [0, 1]
