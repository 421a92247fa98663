"""SYN-SENT, simultaneous opens, and the retransmission of SYNs."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, OPENING, from_peer, only_segment, peer_syn
from gossamer.core.tcp.actions import Action, Dropped, Failed, Failure, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment

SECOND_US = 1_000_000


def test_syn_sent__syn_ack__established_and_acknowledged() -> None:
    before = states.syn_sent()
    after, actions = step(before, SegmentArrives(peer_syn(SYN | ACK, before.snd_nxt), NOW_US))
    assert isinstance(after, Tcb)
    assert after.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    answer = only_segment(actions)
    assert (answer.seq, answer.ack, answer.flags) == (before.snd_nxt, seq_add(states.PEER_ISS, 1), ACK)


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK])
@pytest.mark.parametrize("ack", [-1, 1, 1000])
def test_syn_sent__wrong_ack__reset(flags: int, ack: int) -> None:
    """RFC 9293 3.10.7.3, first."""
    before = states.syn_sent()
    segment = Segment(1, seq_add(before.snd_nxt, ack), flags, 10)
    after, actions = step(before, SegmentArrives(segment, NOW_US))
    assert after == replace(before, rtx_at_us=NOW_US)
    assert actions == (Dropped(SegmentDrop.ACK_UNACCEPTABLE), Segment(segment.ack, 0, RST, 0))


def test_syn_sent__challenge_ack__the_syn_again_at_once_and_only_once() -> None:
    """RFC 9293 3.5.1, figure 9: the peer has a connection of before, which our reset ends."""
    tcb = states.syn_sent()
    challenge = SegmentArrives(Segment(1, seq_add(tcb.snd_nxt, 1000), ACK, 10), NOW_US + 1_000)
    tcb = step(tcb, challenge)[0]
    assert isinstance(tcb, Tcb)
    assert deadline_us(tcb) == NOW_US + 1_000
    tcb, actions = step(tcb, Timeout(NOW_US + 1_000))
    assert isinstance(tcb, Tcb)
    assert only_segment(actions).flags & SYN
    assert step(tcb, challenge)[0] == tcb, "a flood of ACKs draws no flood of SYNs"


def test_syn_sent__rst_with_wrong_ack__dropped() -> None:
    before = states.syn_sent()
    segment = Segment(1, seq_add(before.snd_nxt, 5), RST | ACK, 0)
    assert step(before, SegmentArrives(segment, NOW_US)) == (before, (Dropped(SegmentDrop.ACK_UNACCEPTABLE),))


def test_syn_sent__rst_with_our_ack__refused() -> None:
    before = states.syn_sent()
    segment = Segment(0, before.snd_nxt, RST | ACK, 0)
    assert step(before, SegmentArrives(segment, NOW_US)) == (None, (Failed(Failure.REFUSED),))


def test_syn_sent__rst_without_ack__dropped() -> None:
    """RFC 9293 3.10.7.3, second: a blind RST cannot know our ISS."""
    before = states.syn_sent()
    after, actions = step(before, SegmentArrives(Segment(0, 0, RST, 0), NOW_US))
    assert (after, actions) == (before, (Dropped(SegmentDrop.RST_OUT_OF_WINDOW),))


@pytest.mark.parametrize("flags", [0, FIN, PSH])
def test_syn_sent__neither_syn_nor_ack__dropped(flags: int) -> None:
    before = states.syn_sent()
    after, actions = step(before, SegmentArrives(Segment(9, 0, flags, 0, payload=b"x"), NOW_US))
    assert (after, actions) == (before, (Dropped(SegmentDrop.ACK_MISSING),))


def test_simultaneous_open__both_reach_established() -> None:
    """RFC 9293 3.5, figure 8."""
    here = states.syn_sent()
    there_opening = replace(OPENING, iss=5_000, ts_offset=3)
    there, there_first = open_active(TcpParameters(), there_opening)
    here_first = open_active(TcpParameters(), OPENING)[1]
    after_here, answer_here = step(here, SegmentArrives(only_segment(there_first), NOW_US))
    after_there, answer_there = step(there, SegmentArrives(only_segment(here_first), NOW_US))
    assert isinstance(after_here, Tcb)
    assert isinstance(after_there, Tcb)
    assert (after_here.state, after_there.state) == (State.SYN_RECEIVED, State.SYN_RECEIVED)
    here, actions = states_after(after_here, only_segment(answer_there))
    assert here.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    there, actions = states_after(after_there, only_segment(answer_here))
    assert there.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    assert (here.rcv_nxt, there.rcv_nxt) == (there.snd_nxt, here.snd_nxt)


def states_after(tcb: Tcb, segment: Segment) -> tuple[Tcb, tuple[Action, ...]]:
    after, actions = step(tcb, SegmentArrives(segment, NOW_US))
    assert isinstance(after, Tcb)
    return after, actions


def test_simultaneous_open__queued_send__goes_out_with_the_last_ack() -> None:
    """RFC 9293 3.10.2, SYN-SENT: "Queue the data for transmission after entering ESTABLISHED state"."""
    tcb = states.after(states.syn_sent(), Send(b"early", NOW_US))
    tcb = states.after_segment(tcb, peer_syn())
    after, actions = states_after(tcb, from_peer(tcb))
    assert after.state is State.ESTABLISHED
    assert only_segment(actions).payload == b"early"


def test_syn_sent__queued_send__goes_out_with_the_ack() -> None:
    tcb = states.after(states.syn_sent(), Send(b"early", NOW_US))
    _, actions = states_after(tcb, peer_syn(SYN | ACK, tcb.snd_nxt))
    assert only_segment(actions).payload == b"early"


@pytest.mark.parametrize(("build", "retries"), [(states.syn_sent, 6), (states.syn_received, 5)])
def test_syn_retransmission__doubles_and_gives_up(build: object, retries: int) -> None:
    """RFC 6298 5.5, RFC 9293 3.8.3; the seed's table of waits was defined as itself."""
    tcb: Tcb | TimeWait | None = build()  # type: ignore[operator]
    waits, now_us = [], NOW_US
    while isinstance(tcb, Tcb):
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        tcb, actions = step(tcb, Timeout(now_us))
    assert waits == [min(SECOND_US << n, 60 * SECOND_US) for n in range(retries + 1)]
    ended = Failed(Failure.TIMED_OUT) if retries == 6 else Signal.HALF_OPEN_GONE
    assert actions == (ended,)


def test_syn_received__syn_again__the_syn_ack_again() -> None:
    before = states.syn_received()
    _, (dropped, answer) = step(before, SegmentArrives(peer_syn(), NOW_US))
    assert dropped == Dropped(SegmentDrop.OUT_OF_WINDOW)
    assert isinstance(answer, Segment)
    assert answer.flags == SYN | ACK
