"""All closes: first, second, both, half, over unread data, after the peer has vanished."""

import pytest

from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, only_segment
from gossamer.core.tcp.actions import Deliver, Failed, Failure, Remains, Signal
from gossamer.core.tcp.events import Abort, Close, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, Segment


@pytest.mark.parametrize("receives", [True, False], ids=["half", "both ways"])
def test_close__established__fin(receives: bool) -> None:
    tcb = states.established()
    after, actions = step(tcb, Close(NOW_US, receives))
    assert isinstance(after, Tcb)
    assert after.state is State.FIN_WAIT_1
    assert only_segment(actions).flags & FIN
    assert after.receive_closed is not receives
    again, actions = step(after, Close(NOW_US, receives))
    assert (again, actions) == (after, ()), "a second CLOSE is harmless"


def test_close__data_queued__fin_after_all_of_it() -> None:
    tcb = states.established()
    tcb, first = step(tcb, Send(b"x" * 30_000, NOW_US))  # type: ignore[assignment]
    tcb, rest = step(tcb, Close(NOW_US, receives=True))  # type: ignore[assignment]
    assert not any(isinstance(a, Segment) and a.flags & FIN for a in first + rest), "cwnd is full"
    sent = [a for a in first + rest if isinstance(a, Segment)]
    tcb, more = step(tcb, SegmentArrives(from_peer(tcb), NOW_US + 1000))
    sent += [a for a in more if isinstance(a, Segment)]
    assert sum(len(s.payload) for s in sent) == 30_000
    assert [bool(s.flags & FIN) for s in sent] == [False] * (len(sent) - 1) + [True]


def test_close__syn_sent__gone_in_silence() -> None:
    assert step(states.syn_sent(), Close(NOW_US)) == (None, ())


def test_close__syn_received__reset() -> None:
    after, actions = step(states.syn_received(), Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


def test_close__close_wait__last_ack() -> None:
    after, actions = step(states.close_wait(), Close(NOW_US))
    assert isinstance(after, Tcb)
    assert after.state is State.LAST_ACK
    assert only_segment(actions).flags & FIN


@pytest.mark.parametrize("build", [states.established, states.close_wait])
def test_close__received_data_unread__reset(build: object) -> None:
    """RFC 9293 3.6.1, SHLD-3: "SHOULD send a RST to show that data was lost"."""
    tcb = states.established()
    tcb = states.after_segment(
        tcb, from_peer(tcb, ACK | PSH | (FIN if build is states.close_wait else 0), b"unread")
    )
    after, actions = step(tcb, Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


def test_close__after_shutdown_with_data_unread__reset_and_not_silence() -> None:
    """In LAST-ACK too: what we sent goes with the record, and the peer must hear of it."""
    tcb = states.established()
    tcb = states.after_segment(tcb, from_peer(tcb, ACK | PSH | FIN, b"unread"))
    tcb = states.after(tcb, Send(b"answer", NOW_US))
    tcb = states.after(tcb, Close(NOW_US, receives=True))
    assert tcb.state is State.LAST_ACK
    after, actions = step(tcb, Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


@pytest.mark.parametrize("build", [states.fin_wait_1, states.fin_wait_2])
def test_closed_both_ways__data_arrives__reset(build: object) -> None:
    """RFC 9293 3.6.1, SHLD-3: "if new data is received after CLOSE is called ... SHOULD send a RST"."""
    tcb = states.after(build(), Close(NOW_US))  # type: ignore[operator]
    after, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK, b"late"), NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST
    assert actions[-1] == Failed(Failure.ABORTED)


def test_half_close__peer_goes_on__delivered_until_its_fin() -> None:
    tcb = states.fin_wait_2()
    after, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK, b"more"), NOW_US, 100))
    assert Deliver(b"more") in actions
    assert isinstance(after, Tcb)
    record, actions = step(after, SegmentArrives(from_peer(after, ACK | FIN), NOW_US, 100))
    assert isinstance(record, TimeWait)
    assert Signal.END_OF_STREAM in actions


def test_half_close__unread_when_the_peer_ends__remains_for_the_reader() -> None:
    tcb = states.fin_wait_2()
    record, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK | FIN, b"unread"), NOW_US))
    assert isinstance(record, TimeWait)
    assert Remains(b"unread") in actions


def test_close_wait__receive__the_rest_and_then_the_end() -> None:
    tcb = states.established()
    tcb = states.after_segment(tcb, from_peer(tcb, ACK | FIN, b"abcdef"))
    after, actions = step(tcb, Receive(4, NOW_US))
    assert actions == (Deliver(b"abcd"),)
    assert isinstance(after, Tcb)
    after, actions = step(after, Receive(4, NOW_US))
    assert actions == (Deliver(b"ef"),)
    assert isinstance(after, Tcb)
    assert step(after, Receive(4, NOW_US)) == (after, (Signal.END_OF_STREAM,))


@pytest.mark.parametrize("state", [s for s in State if s > State.ESTABLISHED and s is not State.CLOSE_WAIT])
def test_send__after_close__closing(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    assert step(tcb, Send(b"x", NOW_US)) == (tcb, (Failed(Failure.CLOSING),))


@pytest.mark.parametrize("state", State)
def test_abort__any_state__gone_and_the_peer_reset_where_it_matters(state: State) -> None:
    """RFC 9293 3.10.5."""
    after, actions = step(states.IN_STATE[state](TcpParameters()), Abort(NOW_US))
    assert after is None
    is_reset = state not in (State.SYN_SENT, State.CLOSING, State.LAST_ACK)
    assert [bool(a.flags & RST) for a in actions if isinstance(a, Segment)] == [True] * is_reset


def test_fin_wait_2__closed_both_ways_and_peer_vanishes__gone_after_its_timer() -> None:
    tcb = states.after(states.fin_wait_2(), Close(NOW_US))
    at_us = deadline_us(tcb)
    assert at_us == NOW_US + TcpParameters().fin_wait_2_us
    assert step(tcb, Timeout(at_us)) == (None, ())


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK])
def test_fin_unanswered__peer_vanishes__given_up(state: State) -> None:
    tcb: Tcb | TimeWait | None = states.IN_STATE[state](TcpParameters(tail_loss_probe=False))
    fins, steps = 0, 0
    while isinstance(tcb, Tcb):
        tcb, actions = step(tcb, Timeout(deadline_us(tcb)))
        fins += sum(bool(a.flags & FIN) for a in actions if isinstance(a, Segment))
        steps += 1
        assert steps < 50
    assert fins == TcpParameters().retries
    assert actions == (Failed(Failure.TIMED_OUT),)
