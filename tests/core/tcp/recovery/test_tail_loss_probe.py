"""Tail loss probes. RFC 8985 7, with an SRTT of 100 ms."""

import pytest

from gossamer.core.sim.states import NOW_US, segment_arrives, send, stepped
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.timeouts import deadline_us

from .lossy import MS, NEWRENO, RTT_US, SMSS, at, in_flight, places, replace, report


@pytest.mark.parametrize(("count", "wait_ms"), [(1, 300), (2, 200), (8, 200)])
def test_armed__two_round_trips_and_what_one_ack_may_be_delayed(count: int, wait_ms: int) -> None:
    """RFC 8985 7.2; 2 * SRTT + 200 ms is more than the RTO of 300 ms."""
    tcb = in_flight(count)
    assert deadline_us(tcb) == NOW_US + wait_ms * MS


@pytest.mark.parametrize(
    ("left", "acked_ms", "expires_ms"),
    [
        # 2 * SRTT after the last was sent, not after the ACK.
        (2, 90, 200),
        # The ACKs still come: a round trip for the next.
        (2, 160, 260),
        # One may wait for a delayed ACK: the timeout, counted from when it was sent.
        (1, 90, 300),
        (1, 250, 350),
    ],
)
def test_ack_of_a_part__expires_by_when_the_rest_was_sent(left: int, acked_ms: int, expires_ms: int) -> None:
    tcb = in_flight(8)
    held = tcb.round_trip
    tcb, _ = segment_arrives(
        replace(tcb, rtt_at_us=NOW_US + acked_ms * MS), report(tcb, 8 - left), NOW_US + acked_ms * MS
    )
    assert tcb.round_trip == held, "no new measurement"
    assert deadline_us(tcb) == NOW_US + expires_ms * MS


@pytest.mark.parametrize(("sent_ms", "expires_ms"), [(50, 250), (90, 290), (150, 300)])
def test_more_is_sent__starts_anew__never_beyond_the_timeout_of_the_first(
    sent_ms: int, expires_ms: int
) -> None:
    """RFC 8985 7.2."""
    tcb = in_flight(4)
    tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=9 * SMSS))
    tcb, sent = send(tcb, b"y" * SMSS, NOW_US + sent_ms * MS)
    assert len(sent) == 1
    assert deadline_us(tcb) == NOW_US + expires_ms * MS


def test_expired__new_data__goes_whatever_cwnd_says() -> None:
    tcb = in_flight(4, more=3)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent) == [4]
    assert deadline_us(tcb) == NOW_US + 500 * MS, "now the RTO"


def test_expired__no_new_data__the_last_segment_again() -> None:
    tcb = in_flight(4)
    before = tcb.congestion
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent) == [3]
    assert tcb.congestion == before
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent)[0] == 0, "one probe; then the timeout"


def test_answered__tail_was_lost__recovered_without_a_timeout() -> None:
    """The last three of eight are lost: the probe's SACK shows the other two."""
    tcb = in_flight(8)
    tcb, _ = segment_arrives(tcb, report(tcb, 5), NOW_US + RTT_US)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent) == [2]
    now_us = NOW_US + 4 * RTT_US
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (2, 3)), now_us)
    if not sent:
        tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent)[0] == 0
    assert tcb.backoff == 0


def test_answered__probe_repaired_the_loss__congestion_is_answered() -> None:
    """RFC 8985 7.4: ACK beyond TLP.end_seq without a word of a duplicate."""
    tcb = in_flight(4, more=1)
    tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=4 * SMSS), snd_wnd=4 * SMSS)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    assert tcb.recovery is not None
    assert tcb.recovery.probe_is_retransmission
    tcb, _ = segment_arrives(replace(tcb, snd_wnd=9 * SMSS), report(tcb, 4), NOW_US + 3 * RTT_US)
    before = tcb.congestion.cwnd
    tcb, _ = segment_arrives(tcb, report(tcb, 1), NOW_US + 4 * RTT_US)
    assert tcb.congestion.cwnd < before
    assert tcb.recovery is None


def test_answered__duplicate_reported__no_congestion() -> None:
    """Case 1: a D-SACK of the probe."""
    tcb = in_flight(4)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    before = tcb.congestion.cwnd
    tcb, _ = segment_arrives(tcb, report(tcb, 4), NOW_US + 2 * RTT_US + MS)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (-1, 0)), NOW_US + 3 * RTT_US)
    assert tcb.recovery is None
    assert tcb.congestion.cwnd >= before


@pytest.mark.parametrize("off", ["sack", "rack", "tail_loss_probe"])
def test_off__waits_for_the_timeout(off: str) -> None:
    tcb = in_flight(4, replace(NEWRENO, **{off: False}))
    tcb, _ = segment_arrives(tcb, report(tcb, 1, sent_at_us=NOW_US), NOW_US + RTT_US)
    assert deadline_us(tcb) >= NOW_US + RTT_US + 200 * MS
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent)[0] == 0
    assert tcb.snd_nxt == at(tcb, 3)
