"""What an ACK means to recovery, in which order its rules are asked."""

import pytest

from gossamer.core.sim.states import NOW_US, segment_arrives, stepped
from gossamer.core.tcp.events import SegmentArrives, Timeout
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.timeouts import deadline_us

from .lossy import MS, NEWRENO, RTT_US, SMSS, at, in_flight, replace, report

ARRIVES_US = NOW_US + RTT_US


@pytest.mark.parametrize(
    ("sack", "acked", "blocks", "is_kept"),
    [
        (True, 0, (), False),
        (True, 0, ((2, 3),), True),
        (True, 1, ((2, 3),), True),
        (True, 1, (), False),
        # A D-SACK is heard, and leaves nothing behind.
        (True, 0, ((-2, -1),), False),
        (False, 0, (), True),
        (False, 1, (), False),
    ],
)
def test_ack__record_is_kept_while_it_says_something(
    sack: bool, acked: int, blocks: tuple[tuple[int, int], ...], is_kept: bool
) -> None:
    """RFC 6675 2: with SACK only news make a duplicate; without, RFC 5681 2."""
    tcb = in_flight(8, replace(NEWRENO, sack=sack))
    tcb, _ = segment_arrives(tcb, report(tcb, acked, *blocks), ARRIVES_US)
    assert (tcb.recovery is not None) is is_kept


def test_ack__reported_before__is_no_news() -> None:
    tcb = in_flight(8)
    for _ in range(4):
        tcb, _ = segment_arrives(tcb, report(tcb, 0, (2, 3)), ARRIVES_US)
    assert tcb.recovery is not None
    assert (tcb.recovery.dup_acks, tcb.recovery.sacked_bytes) == (1, SMSS)


def test_joined_report__counts_for_as_many_duplicates_and_is_as_if_they_came_alone() -> None:
    """`core.wire.joining`: so many packets came as one."""
    tcb = in_flight(8)
    alone = tcb
    for end in (4, 5):
        alone, _ = segment_arrives(alone, report(tcb, 0, (3, end)), ARRIVES_US)
    together, _ = stepped(tcb, SegmentArrives(report(tcb, 0, (3, 5)), ARRIVES_US, pieces=2))
    assert together.recovery == alone.recovery
    assert together.recovery is not None
    assert together.recovery.dup_acks == 2


@pytest.mark.parametrize("acks", [1, 2, 3])
def test_joined_ack__after_a_timeout__slow_start_goes_on_as_with_each(acks: int) -> None:
    """RFC 3465 2.3: one segment for each ACK then, and one ACK may stand for several."""
    tcb = in_flight(8, replace(NEWRENO, forward_rto=False))
    tcb, _ = stepped(tcb, Timeout(ARRIVES_US + RTT_US))
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    assert tcb.recovery is not None
    assert (tcb.recovery.phase, tcb.congestion.cwnd) == (Phase.LOSS, SMSS)
    now_us = ARRIVES_US + 10 * RTT_US
    tcb, _ = stepped(tcb, SegmentArrives(report(tcb, 3, sent_at_us=now_us), now_us, pieces=acks))
    assert tcb.congestion.cwnd == (1 + acks) * SMSS


def test_first_report__the_timer_is_the_timeout_again() -> None:
    """RFC 8985 7.2: no probe once SACK shows that something is missing."""
    tcb = in_flight(8)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (5, 8)), ARRIVES_US)
    assert tcb.rtx_at_us == ARRIVES_US + tcb.round_trip.rto_us


def test_lost_then_reported__is_lost_no_more() -> None:
    """All but the first wait for cwnd; one of them is reported late."""
    tcb = in_flight(8)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (5, 8)), ARRIVES_US)
    assert tcb.recovery is not None
    assert tcb.recovery.lost[-1][1] == at(tcb, 5)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (4, 8)), ARRIVES_US + MS)
    assert tcb.recovery is not None
    assert (at(tcb, 4), at(tcb, 5)) not in tcb.recovery.lost
    assert not tcb.recovery.lost or tcb.recovery.lost[-1][1] != at(tcb, 5)


@pytest.mark.parametrize(("acked", "is_over"), [(7, False), (8, True)])
def test_recovery__ends_with_what_was_in_flight_when_it_began(acked: int, is_over: bool) -> None:
    """RFC 6675 5: "RecoveryPoint = HighData"."""
    tcb = in_flight(8, more=8)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (1, 8)), ARRIVES_US)
    assert tcb.recovery is not None
    assert tcb.recovery.phase is Phase.FAST
    tcb, _ = segment_arrives(tcb, report(tcb, acked, sent_at_us=ARRIVES_US), ARRIVES_US + RTT_US)
    assert (tcb.recovery is None) is is_over
