"""SYN-RECEIVED, after a passive and after an active OPEN: what each segment does there."""

from collections.abc import Callable

import pytest

from gossamer.core.seq import HALF, seq_add
from gossamer.core.sim import oracle, states
from gossamer.core.sim.states import NOW_US, PEER_ISS, from_peer, only_segment, peer_syn, segments_in
from gossamer.core.tcp.actions import Action, Dropped, Failed, Failure, Signal
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Abort, Close, SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, URG, Segment

BOTH = pytest.mark.parametrize("build", [states.syn_received, states.crossed], ids=["passive", "active"])
Build = Callable[..., Tcb]


def hears(tcb: Tcb, segment: Segment) -> tuple[Connection | None, tuple[Action, ...]]:
    event = SegmentArrives(segment, NOW_US)
    after, actions = step(tcb, event)
    oracle.check(tcb, event, after, actions)
    return after, actions


@pytest.mark.parametrize(
    ("build", "ending"),
    [(states.syn_received, Signal.HALF_OPEN_GONE), (states.crossed, Failed(Failure.REFUSED))],
    ids=["passive", "active"],
)
def test_syn_received__rst_at_rcv_nxt__back_to_listen_or_refused(build: Build, ending: object) -> None:
    """RFC 9293 3.10.7.4, second, and MUST-11: it depends on how the connection was opened."""
    tcb = build()
    assert hears(tcb, from_peer(tcb, RST)) == (None, (ending,))


@BOTH
@pytest.mark.parametrize("seq", [1, 1_000, -1, HALF])
def test_syn_received__rst_elsewhere__stays(build: Build, seq: int) -> None:
    """RFC 5961 3.2."""
    after, actions = hears(build(), from_peer(build(), RST, seq=seq))
    assert isinstance(after, Tcb)
    assert after.state is State.SYN_RECEIVED
    in_window = seq in (1, 1_000)
    assert actions[0] == Dropped(SegmentDrop.RST_CHALLENGED if in_window else SegmentDrop.RST_OUT_OF_WINDOW)


@BOTH
def test_syn_received__syn_again__the_syn_ack_again__at_a_bounded_rate(build: Build) -> None:
    tcb = build()
    after, actions = hears(tcb, peer_syn())
    assert isinstance(after, Tcb)
    (answer,) = segments_in(actions)
    assert (answer.seq, answer.ack, answer.flags) == (tcb.agreed.iss, tcb.rcv_nxt, SYN | ACK)
    assert (after.rtx_at_us, after.backoff) == (tcb.rtx_at_us, tcb.backoff)
    again, actions = hears(after, peer_syn())
    assert not segments_in(actions)
    assert again == after


@BOTH
def test_syn_received__syn_with_data_again__not_received(build: Build) -> None:
    tcb = build()
    syn = Segment(PEER_ISS, 0, SYN, 1_000, states.PEER_TS, payload=b"early")
    after, actions = hears(tcb, syn)
    assert isinstance(after, Tcb)
    assert (after.rcv_nxt, after.rcv_buf_bytes) == (tcb.rcv_nxt, 0)
    assert not segments_in(actions)


@BOTH
@pytest.mark.parametrize("seq", [1, 50_000, HALF, -50_000])
def test_syn_received__another_syn__one_challenge_and_a_real_peer_begins_anew(build: Build, seq: int) -> None:
    """RFC 5961 4.2: the peer that has forgotten answers the ACK with a RST at SEG.ACK."""
    tcb = build()
    after, actions = hears(tcb, Segment(seq_add(tcb.rcv_nxt, seq), 0, SYN, 1_000, tcb.ts_recent))
    assert isinstance(after, Tcb)
    challenge = only_segment(actions)
    assert (challenge.flags, challenge.ack) == (ACK, tcb.rcv_nxt)
    gone, _ = hears(after, Segment(challenge.ack, 0, RST, 0))
    assert gone is None


@BOTH
@pytest.mark.parametrize("flags", [0, PSH, FIN, FIN | PSH, URG])
def test_syn_received__no_ack__dropped(build: Build, flags: int) -> None:
    """RFC 9293 3.10.7.4, fifth: "if the ACK bit is off, drop the segment and return"."""
    after, actions = hears(build(), from_peer(build(), flags, b"text"))
    assert isinstance(after, Tcb)
    assert (after.state, after.rcv_buf_bytes) == (State.SYN_RECEIVED, 0)
    assert actions == (Dropped(SegmentDrop.ACK_MISSING),)


@BOTH
@pytest.mark.parametrize("ack", [-1, 1, 100_000, HALF])
@pytest.mark.parametrize("flags", [ACK, ACK | FIN, ACK | PSH])
def test_syn_received__wrong_ack__reset_and_stays(build: Build, flags: int, ack: int) -> None:
    """RFC 9293 3.10.7.4, fifth: "form a reset segment <SEQ=SEG.ACK><CTL=RST>"."""
    segment = from_peer(build(), flags, b"text", ack=ack)
    after, actions = hears(build(), segment)
    assert isinstance(after, Tcb)
    assert (after.state, after.rcv_buf_bytes) == (State.SYN_RECEIVED, 0)
    reset = only_segment(actions)
    assert (reset.seq, reset.flags) == (segment.ack, RST)


@BOTH
def test_syn_received__ack_with_data_and_fin__all_at_once(build: Build) -> None:
    after, actions = hears(build(), from_peer(build(), ACK | FIN | PSH, b"text"))
    assert isinstance(after, Tcb)
    assert (after.state, after.rcv_buf_bytes) == (State.CLOSE_WAIT, 4)
    assert Signal.ESTABLISHED in actions
    assert only_segment(actions).ack == seq_add(build().rcv_nxt, 5)


@BOTH
def test_syn_received__data_behind_a_gap__established_and_held(build: Build) -> None:
    """The ACK that ends the handshake was lost; what follows says as much."""
    after, actions = hears(build(), from_peer(build(), ACK, b"later", seq=100))
    assert isinstance(after, Tcb)
    assert (after.state, after.rcv_buf_bytes) == (State.ESTABLISHED, 0)
    assert after.reassembly is not None
    assert Signal.ESTABLISHED in actions


@BOTH
def test_syn_received__close_or_abort__reset(build: Build) -> None:
    """RFC 9293 3.10.5; and 3.10.4 as `calls.close` says."""
    for event in (Close(NOW_US), Abort(NOW_US)):
        after, actions = step(build(), event)
        assert after is None
        assert only_segment(actions).flags & RST


def test_syn_received__window_of_the_syn_is_not_scaled_that_of_the_ack_is() -> None:
    """RFC 7323 2.2."""
    tcb = states.syn_received(TcpParameters())
    assert tcb.snd_wnd == 65_535
    after, _ = hears(tcb, from_peer(tcb, window=1_000))
    assert isinstance(after, Tcb)
    assert after.snd_wnd == 1_000 << 2
