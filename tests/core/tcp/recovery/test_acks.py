"""What an ACK means to recovery, in which order its rules are asked."""

import pytest

from gossamer.core.sim.states import NOW_US, segment_arrives
from gossamer.core.tcp.tcb import Phase

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
