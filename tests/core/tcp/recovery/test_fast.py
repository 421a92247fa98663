"""Fast retransmit, NewReno, SACK recovery, reneging."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, segments_in, send, stepped
from gossamer.core.tcp.actions import Signal
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import Segment

SMSS = 1448


def in_flight(parameters: TcpParameters, count: int = 8) -> Tcb:
    tcb, sent = send(states.established(parameters), b"x" * count * SMSS)
    assert len(sent) == count
    return tcb


def duplicate(tcb: Tcb, *blocks: tuple[int, int]) -> Segment:
    """An ACK of nothing new; blocks count segments from SND.UNA."""
    sack = tuple((seq_add(tcb.snd_una, a * SMSS), seq_add(tcb.snd_una, b * SMSS)) for a, b in blocks)
    return from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, sack=sack)


NO_SACK = TcpParameters(sack=False, congestion="newreno")


def test_fast_retransmit__third_duplicate__first_segment_again() -> None:
    tcb = in_flight(NO_SACK)
    for _ in range(2):
        tcb, sent = segment_arrives(tcb, duplicate(tcb))
        assert sent == []
    tcb, sent = segment_arrives(tcb, duplicate(tcb))
    assert [(s.seq, len(s.payload)) for s in sent] == [(tcb.snd_una, SMSS)]
    assert tcb.recovery is not None
    assert tcb.recovery.phase is Phase.FAST
    assert tcb.congestion.ssthresh == 4 * SMSS


def test_newreno__partial_ack__next_hole_at_once_and_recovery_goes_on() -> None:
    """RFC 6582 3.2 (5)."""
    tcb = in_flight(NO_SACK)
    for _ in range(6):
        tcb, _ = segment_arrives(tcb, duplicate(tcb))
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ack=-4 * SMSS))
    assert [s.seq for s in sent] == [tcb.snd_una]
    assert tcb.recovery is not None
    tcb, sent = segment_arrives(tcb, from_peer(tcb))
    assert sent == []
    assert tcb.recovery is None
    assert tcb.congestion.cwnd <= tcb.congestion.ssthresh


def test_sack__three_segments_reported__only_the_holes_go_again() -> None:
    """RFC 6675 5."""
    tcb = in_flight(TcpParameters())
    now_us = NOW_US + 20_000
    tcb, sent = segment_arrives(tcb, duplicate(tcb, (1, 2)), now_us)
    assert sent == []
    tcb, sent = segment_arrives(tcb, duplicate(tcb, (3, 6), (1, 2)), now_us)
    resent = [s.seq for s in sent]
    tcb, sent = segment_arrives(tcb, duplicate(tcb, (3, 8), (1, 2)), now_us + 1_000)
    resent += [s.seq for s in sent]
    assert resent == [tcb.snd_una, seq_add(tcb.snd_una, 2 * SMSS)]
    tcb, sent = segment_arrives(tcb, from_peer(tcb))
    assert (sent, tcb.recovery) == ([], None)


def test_sack_reneging__timeout__everything_goes_again() -> None:
    """RFC 2018 8: after a timeout the scoreboard is not believed."""
    tcb = in_flight(TcpParameters(), 4)
    tcb, _ = segment_arrives(tcb, duplicate(tcb, (1, 4)))
    una, resent = tcb.snd_una, []
    for number in range(1, 6):
        tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
        resent += [s.seq for s in sent]
        if tcb.snd_una == tcb.snd_nxt or number == 5:
            break
        tcb, sent = segment_arrives(
            tcb, from_peer(tcb, ack=(number - 4) * SMSS), tcb.rcv_at_us + number * 1_000_000
        )
        resent += [s.seq for s in sent]
        if tcb.snd_una == tcb.snd_nxt:
            break
    assert set(resent) == {seq_add(una, n * SMSS) for n in range(4)}


def after_timeout_in_vain(parameters: TcpParameters) -> Tcb:
    """All had arrived but the ACKs were late; then new data was sent."""
    conventional = replace(parameters, forward_rto=False, tail_loss_probe=False)
    tcb = in_flight(conventional, 4)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = send(tcb, b"y" * 6 * SMSS)
    assert tcb.recovery is not None
    recover = tcb.recovery.recover
    for segments in (1, 0):
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=recover - segments * SMSS - tcb.snd_nxt))
    assert tcb.snd_una == recover != tcb.snd_nxt
    return tcb


@pytest.mark.parametrize("parameters", [NO_SACK, TcpParameters()], ids=["newreno", "sack"])
def test_duplicates_of_what_a_timeout_sent_in_vain__no_fast_retransmit(parameters: TcpParameters) -> None:
    """RFC 6582 3.2 (2) and 4; RFC 6675 2."""
    tcb = after_timeout_in_vain(parameters)
    una = tcb.snd_una
    for _ in range(4):
        tcb, sent = segment_arrives(tcb, duplicate(tcb))
        assert una not in [s.seq for s in sent]
    tcb, _ = segment_arrives(tcb, from_peer(tcb))
    assert tcb.recovery is None


def test_sack__duplicates_without_blocks__show_no_loss() -> None:
    tcb = in_flight(TcpParameters())
    for _ in range(5):
        tcb, sent = segment_arrives(tcb, duplicate(tcb))
        assert (sent, tcb.recovery) == ([], None)


def test_retransmissions__are_counted() -> None:
    tcb = in_flight(TcpParameters(), 2)
    _, actions = step(tcb, Timeout(deadline_us(tcb)))
    assert actions.count(Signal.RETRANSMITTED) == len(segments_in(actions)) == 1
