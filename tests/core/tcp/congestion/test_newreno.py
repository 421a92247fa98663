"""Slow start, the restart after idle, and the care after a lost SYN."""

import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send, stepped
from gossamer.core.tcp.constants import HYSTART_SEGMENTS
from gossamer.core.tcp.events import SegmentArrives, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.timeouts import deadline_us

SMSS = 1448
MS = 1_000


def test_slow_start__acks_of_full_segments__double_cwnd_a_round_trip() -> None:
    tcb, _ = send(states.established(), b"x" * 200_000)
    before = tcb.congestion.cwnd
    flight = (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF
    assert flight == before
    for number in range(2, 11, 2):
        ack = tcb.snd_una + 2 * SMSS - tcb.snd_nxt
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=ack), NOW_US + 50 * MS + number)
    assert tcb.congestion.cwnd == 2 * before


@pytest.mark.parametrize("congestion", ["newreno", "cubic"])
def test_slow_start__a_burst_of_less_than_cwnd_acked_in_pairs__cwnd_grows_to_twice_of_it(
    congestion: str,
) -> None:
    """What was in flight counts at its most of the round trip, for the last ACK too."""
    tcb = states.established(TcpParameters(congestion=congestion, nodelay=True))
    tcb, sent = send(tcb, b"x" * 8 * SMSS)
    assert len(sent) == 8
    for number in range(4):
        ack = tcb.snd_una + 2 * SMSS - tcb.snd_nxt
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=ack), NOW_US + 50 * MS + number)
    assert tcb.congestion.cwnd == 16 * SMSS
    assert not tcb.congestion.peak_bytes


def test_congestion_avoidance__little_in_flight_after_a_full_window__cwnd_stays() -> None:
    """The full window was of an earlier round trip."""
    tcb = states.established(TcpParameters(nodelay=True))
    full = replace(tcb.congestion, cwnd=8 * SMSS, ssthresh=8 * SMSS)
    tcb, _ = send(replace(tcb, congestion=full), b"x" * 8 * SMSS)
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=-SMSS), NOW_US + 50 * MS)
    before = tcb.congestion.cwnd
    assert before > 8 * SMSS
    for number in range(3):
        tcb, _ = send(tcb, b"x" * SMSS, NOW_US + (51 + number) * MS)
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=-SMSS), NOW_US + (60 + number) * MS)
    # The ACK of the last octet of that round trip still counts to it.
    assert tcb.congestion.cwnd <= before + SMSS // 8


def test_idle__longer_than_rto__cwnd_collapses_to_the_restart_window() -> None:
    """RFC 5681 4.1; the seed subtracted the wrong way round."""
    tcb = replace(states.established(), snd_wnd=1 << 20)
    grown = replace(tcb.congestion, cwnd=80 * SMSS)
    tcb = replace(tcb, congestion=grown)
    soon, sent = send(tcb, b"x" * 80 * SMSS, NOW_US + 1 * MS)
    assert len(sent) == 80
    late, sent = send(tcb, b"x" * 80 * SMSS, NOW_US + 2_000 * MS)
    assert len(sent) == 10
    assert (soon.congestion.cwnd, late.congestion.cwnd) == (80 * SMSS, 10 * SMSS)


def test_first_data_after_a_lost_syn__one_segment_and_three_seconds() -> None:
    """RFC 5681 3.1: the initial window is one segment then; RFC 6298 5.7: RTO is 3 s."""
    tcb = states.syn_received(TcpParameters(timestamps=False))
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 1_100 * MS)
    assert tcb.congestion.cwnd == tcb.agreed.smss
    assert tcb.round_trip.rto_us == 3_000 * MS


def test_first_data_after_a_lost_syn__with_an_echo__the_round_trip_is_measured() -> None:
    """RFC 7323 4.1: the echo shows which of two SYN-ACKs is answered."""
    tcb = states.syn_received(TcpParameters())
    first_us = deadline_us(tcb)
    tcb, again = stepped(tcb, Timeout(first_us))
    answer = replace(from_peer(tcb), ts_ecr=again[0].ts_val)
    tcb, _ = segment_arrives(tcb, answer, first_us + 100 * MS)
    assert tcb.congestion.cwnd == tcb.agreed.smss
    assert tcb.round_trip.srtt_us == 100 * MS


@pytest.mark.parametrize("pieces", [1, 4])
def test_slow_start__joined_acks__count_as_many_as_they_were(pieces: int) -> None:
    """RFC 3465 2.2 and RFC 9406 4.3 bound what one ACK may add."""
    parameters = TcpParameters(congestion="newreno", initial_window_segments=40)
    tcb = states.established(parameters)
    tcb = replace(tcb, snd_wnd=1 << 20)
    tcb, _ = send(tcb, bytes(40 * tcb.agreed.smss))
    before = tcb.congestion.cwnd
    acked = 36 * tcb.agreed.smss
    acknowledgment = from_peer(tcb, ack=acked - 40 * tcb.agreed.smss)
    tcb, _ = stepped(tcb, SegmentArrives(acknowledgment, NOW_US, 0, pieces))
    assert tcb.congestion.cwnd - before == min(acked, pieces * HYSTART_SEGMENTS * tcb.agreed.smss)
