"""The retransmission timer, and the round-trip time it is made of."""

from gossamer.core.clock import NEVER_US
from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send, stepped
from gossamer.core.tcp.actions import Failed, Failure
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us

SMSS = 1448
MS = 1_000
NO_PROBE = TcpParameters(tail_loss_probe=False)
NEWRENO = TcpParameters(tail_loss_probe=False, congestion="newreno")


def test_rto__unanswered__doubles_up_to_its_ceiling_and_gives_up_after_r2() -> None:
    tcb, _ = send(states.established(NO_PROBE), b"x")
    after: object = tcb
    waits, now_us = [], NOW_US
    while isinstance(after, Tcb):
        tcb = after
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
    rto_us = tcb.round_trip.rto_us
    assert waits == [min(rto_us << n, 60_000 * MS) for n in range(16)]
    assert actions == (Failed(Failure.TIMED_OUT),)
    assert sum(waits) > 100_000 * MS, "RFC 9293 3.8.3: R2 is at least 100 seconds"


def test_rto__user_timeout__gives_up_then() -> None:
    tcb, _ = send(states.established(TcpParameters(user_timeout_us=3_000 * MS)), b"x")
    after: object = tcb
    while isinstance(after, Tcb):
        now_us = deadline_us(after)
        after, actions = step(after, Timeout(now_us))
    assert actions == (Failed(Failure.TIMED_OUT),)
    assert now_us - NOW_US < 8_000 * MS


def test_rto__expired__one_segment_from_snd_una_and_cwnd_is_one() -> None:
    """RFC 6298 5.4, RFC 5681 3.1 (5)."""
    tcb, sent = send(states.established(NEWRENO), b"x" * 6 * SMSS)
    assert len(sent) == 6
    flight = (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF
    tcb, again = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [(s.seq, len(s.payload)) for s in again] == [(tcb.snd_una, SMSS)]
    assert (tcb.congestion.cwnd, tcb.congestion.ssthresh) == (SMSS, flight // 2)


def test_rto__expired_twice__ssthresh_is_halved_once() -> None:
    """RFC 5681 3.1: "ssthresh is held constant" for a segment that was retransmitted before."""
    tcb, _ = send(states.established(NO_PROBE), b"x" * 8 * SMSS)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    once = tcb.congestion.ssthresh
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    assert tcb.congestion.ssthresh == once


def test_rto__the_ack_that_ends_its_recovery__raises_cwnd_too() -> None:
    """RFC 5681 3.1 (5): from one segment by slow start, one a round trip at the least."""
    tcb, _ = send(states.established(NEWRENO), b"x" * 6 * SMSS)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = segment_arrives(tcb, from_peer(tcb), deadline_us(tcb))
    assert tcb.recovery is None
    assert tcb.congestion.cwnd == 2 * SMSS


def test_rto__after_it__what_was_lost_goes_again_as_cwnd_grows() -> None:
    tcb, _sent = send(states.established(NO_PROBE), b"x" * 6 * SMSS)
    tcb, again = stepped(tcb, Timeout(deadline_us(tcb)))
    una, seen, now_us = tcb.snd_una, len(again), NOW_US + 1_000 * MS
    for number in range(1, 7):
        ack = (number * SMSS) - 6 * SMSS
        tcb, again = segment_arrives(tcb, from_peer(tcb, ack=ack), now_us + number * 50 * MS)
        seen += len(again)
    assert tcb.snd_una == seq_add(una, 6 * SMSS)
    assert seen == 6, "each lost segment once"
    assert (tcb.recovery, tcb.rtx_at_us) == (None, NEVER_US)


def test_karn__without_timestamps__a_retransmitted_segment_measures_nothing() -> None:
    """RFC 6298 3."""
    tcb = states.established(TcpParameters(timestamps=False))
    tcb, _ = send(tcb, b"x")
    before = tcb.round_trip
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 5_000 * MS)
    assert tcb.round_trip == before
    assert tcb.backoff == 0


def test_rtt__without_timestamps__one_segment_a_round_trip_is_timed() -> None:
    tcb = states.established(TcpParameters(timestamps=False))
    before = tcb.round_trip
    tcb, _ = send(tcb, b"x")
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 80 * MS)
    assert tcb.round_trip != before
    assert tcb.round_trip.srtt_us > 0


def test_rtt__timestamp_from_the_future__measures_nothing() -> None:
    tcb, _ = send(states.established(), b"x")
    before = tcb.round_trip
    ours = (NOW_US // MS + tcb.agreed.ts_offset) & 0xFFFFFFFF
    forged = replace(from_peer(tcb), ts_ecr=ours + 10_000)
    tcb, _ = segment_arrives(tcb, forged, NOW_US + 80 * MS)
    assert tcb.round_trip == before
