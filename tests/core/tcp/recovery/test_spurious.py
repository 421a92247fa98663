"""Recoveries for nothing: Eifel, D-SACK, F-RTO, and what is as it was before."""

import pytest

from gossamer.core.sim.states import NOW_US, segment_arrives, stepped
from gossamer.core.tcp.events import SegmentArrives, Timeout
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us

from .lossy import MS, NEWRENO, RTT_US, SMSS, in_flight, places, replace, report

LATE_US = NOW_US + RTT_US
NO_PROBE = replace(NEWRENO, tail_loss_probe=False)


def entered() -> Tcb:
    """In fast recovery since LATE_US; the first of ten went again."""
    tcb, sent = segment_arrives(in_flight(10), report(in_flight(10), 0, (1, 4)), LATE_US)
    assert places(tcb, sent) == [0]
    assert tcb.congestion.ssthresh == 5 * SMSS
    return tcb


def test_eifel__ack_echoes_the_first_transmission__undone() -> None:
    """RFC 3522 3.2, RFC 4015 3.2."""
    tcb = entered()
    tcb, _ = segment_arrives(tcb, report(tcb, 4, sent_at_us=NOW_US), LATE_US + 20 * MS)
    assert tcb.recovery is None
    assert tcb.congestion.cwnd >= 10 * SMSS
    assert tcb.congestion.ssthresh > 10 * SMSS


def test_eifel__ack_echoes_the_retransmission__goes_on() -> None:
    tcb = entered()
    tcb, _ = segment_arrives(tcb, report(tcb, 4, sent_at_us=LATE_US), LATE_US + RTT_US)
    assert tcb.congestion.ssthresh == 5 * SMSS


def test_dsack__all_that_went_again_came_twice__undone_after_the_end() -> None:
    """RFC 3708 3."""
    tcb = entered()
    tcb, _ = segment_arrives(tcb, report(tcb, 10), LATE_US + 20 * MS)
    assert tcb.recovery is None
    assert tcb.congestion.ssthresh == 5 * SMSS
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (-10, -9)), LATE_US + RTT_US)
    assert tcb.undo is None
    assert tcb.congestion.ssthresh > 10 * SMSS


def test_dsack__of_something_else__not_undone() -> None:
    tcb = entered()
    tcb, _ = segment_arrives(tcb, report(tcb, 10), LATE_US + 20 * MS)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (-14, -13)), LATE_US + RTT_US)
    assert tcb.congestion.ssthresh == 5 * SMSS


@pytest.mark.parametrize("sack", [True, False])
@pytest.mark.parametrize("is_spurious", [True, False])
def test_frto__second_ack_of_what_was_not_sent_again__or_a_duplicate(sack: bool, is_spurious: bool) -> None:
    """RFC 5682 2.1, without timestamps' help."""
    tcb = in_flight(6, replace(NO_PROBE, sack=sack), more=6)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent) == [0]
    now_us = NOW_US + 320 * MS
    tcb, sent = segment_arrives(tcb, report(tcb, 1), now_us)
    assert places(tcb, sent) == [5, 6], "new data instead of old"
    if is_spurious:
        tcb, sent = segment_arrives(tcb, report(tcb, 1), now_us + MS)
        assert tcb.congestion.cwnd >= 6 * SMSS
        assert tcb.recovery is None
        assert all(place >= 6 for place in places(tcb, sent))
    else:
        blocks = ((5, 6),) if sack else ()
        tcb, sent = segment_arrives(tcb, report(tcb, 0, *blocks), now_us + RTT_US)
        assert places(tcb, sent)[0] == 0
        assert tcb.congestion.cwnd <= 3 * SMSS
        assert tcb.recovery is not None
        assert tcb.recovery.phase is Phase.LOSS


@pytest.mark.parametrize(
    ("changes", "acked", "acks", "is_undone"),
    [
        ({}, 3, 2, True),
        ({}, 6, 5, True),
        # One ACK alone may be that of a peer that lacked just the first.
        ({}, 3, 1, False),
        # What went again is all that is acknowledged.
        ({}, 1, 2, False),
        # Without SACK the first of them may have been a duplicate.
        ({"sack": False}, 3, 2, False),
        ({"forward_rto": False}, 3, 2, False),
    ],
)
def test_frto__both_acks_joined__spurious_too(
    changes: dict[str, bool], acked: int, acks: int, is_undone: bool
) -> None:
    """RFC 5682 3.1: the second ACK came with the first, before new data could go between them."""
    tcb = in_flight(6, replace(NO_PROBE, **changes), more=6)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    now_us = NOW_US + 320 * MS
    tcb, _ = stepped(tcb, SegmentArrives(report(tcb, acked), now_us, pieces=acks))
    assert (tcb.congestion.cwnd >= 6 * SMSS) is is_undone


def test_frto__nothing_new_to_send__joined_acks_show_nothing() -> None:
    """RFC 5682 2.1 (2b) sends new data."""
    tcb = in_flight(6, NO_PROBE)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = stepped(tcb, SegmentArrives(report(tcb, 3), NOW_US + 320 * MS, pieces=2))
    assert tcb.congestion.cwnd < 6 * SMSS


def test_frto__off__old_data_goes_on() -> None:
    tcb = in_flight(6, replace(NO_PROBE, forward_rto=False), more=6)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, sent = segment_arrives(tcb, report(tcb, 1), NOW_US + 320 * MS)
    assert places(tcb, sent)[0] == 0


def test_spurious_timeout__timer_is_more_patient_afterwards() -> None:
    """RFC 4015 3.2 (7)."""
    tcb = in_flight(6, NO_PROBE, more=6)
    before = tcb.round_trip
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = segment_arrives(tcb, report(tcb, 1, sent_at_us=NOW_US), NOW_US + 320 * MS)
    assert tcb.round_trip.srtt_us >= 320 * MS
    assert tcb.round_trip.rto_us > 2 * before.rto_us


def test_timeout_in_fast_recovery__all_came_twice__undone_to_before_the_first() -> None:
    """RFC 4015 3.2: what is saved is what was before cwnd and ssthresh were first changed."""
    tcb = entered()
    before = tcb.undo
    assert before is not None
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent)[0] == 0
    assert tcb.undo is not None
    assert (tcb.undo.before, tcb.undo.is_timeout) == (before.before, True)
    assert tcb.undo.retransmitted_bytes == before.retransmitted_bytes + sum(
        len(segment.payload) for segment in sent
    )


def test_dsack__probe_went_before__counts_among_what_went_again() -> None:
    """Its duplicate alone does not show that the others were in vain."""
    tcb = in_flight(4)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    now_us = NOW_US + 3 * RTT_US
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (3, 4)), now_us)
    assert len(sent) == 2
    halved = tcb.congestion.ssthresh
    tcb, _ = segment_arrives(tcb, report(tcb, 4, sent_at_us=now_us), now_us + RTT_US)
    for place in (-1, -4):
        assert tcb.congestion.ssthresh == halved
        tcb, _ = segment_arrives(tcb, report(tcb, 0, (place, place + 1)), now_us + RTT_US)
    assert tcb.congestion.ssthresh == halved, "one of them is not answered for"
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (-3, -2)), now_us + RTT_US)
    assert tcb.congestion.ssthresh > halved
