"""SET OPTIONS: what changes on a connection that is under way."""

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, segments_in, send, stepped
from gossamer.core.tcp.actions import Signal
from gossamer.core.tcp.calls.option import get_options
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import Abort, Close, SegmentArrives, SetOptions, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, RST, SYN


def setting(options: SocketOptions, now_us: int = NOW_US) -> SetOptions:
    return SetOptions(options, now_us)


@pytest.mark.parametrize("state", State)
def test_set_options__in_every_state__holds_and_encodes(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    options = SocketOptions(nodelay=False, keepalive_idle_us=SECOND_US, maxseg_bytes=500)
    after, actions = step(tcb, setting(options))
    assert isinstance(after, Tcb)
    assert not segments_in(actions)
    assert decode(encode(after)) == after
    found = get_options(after)
    assert (found.nodelay, found.keepalive_idle_us, found.maxseg_bytes) == (False, SECOND_US, 500)


@pytest.mark.parametrize("state", State)
def test_set_options__nothing__changes_nothing(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    assert step(tcb, setting(NO_OPTIONS)) == (tcb, ())


def test_time_wait__set_options__nothing_left_to_set() -> None:
    record = states.time_wait()
    assert step(record, setting(SocketOptions(nodelay=True))) == (record, ())


def test_established__nodelay_on__what_nagle_held_goes_out() -> None:
    """MUST-17."""
    tcb, _ = send(states.established(TcpParameters(nodelay=False)), b"first")
    tcb, sent = send(tcb, b"second")
    assert not sent
    _, sent = stepped(tcb, setting(SocketOptions(nodelay=True)))
    assert [s.payload for s in sent] == [b"second"]


def test_established__quickack__every_segment_is_acknowledged_at_once() -> None:
    tcb = states.established()
    assert not segment_arrives(tcb, from_peer(tcb, payload=b"x"))[1]
    tcb, _ = stepped(tcb, setting(SocketOptions(quickack=True)))
    _, sent = segment_arrives(tcb, from_peer(tcb, payload=b"x"))
    assert [s.ack for s in sent] == [seq_add(tcb.rcv_nxt, 1)]


def test_established__keepalive_on__idle_time_that_has_passed_counts() -> None:
    tcb, later_us = states.established(), NOW_US + 40 * SECOND_US
    assert deadline_us(tcb) == NEVER_US
    tcb, _ = stepped(tcb, setting(SocketOptions(keepalive_idle_us=60 * SECOND_US), later_us))
    assert deadline_us(tcb) == NOW_US + 60 * SECOND_US
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [s.seq for s in sent] == [seq_add(tcb.snd_nxt, -1)]


def test_established__keepalive_off__no_deadline() -> None:
    tcb = states.established(TcpParameters(keepalive_idle_us=SECOND_US))
    tcb, _ = stepped(tcb, setting(SocketOptions(keepalive_idle_us=NEVER_US)))
    assert deadline_us(tcb) == NEVER_US


def test_fin_wait_2__keepalive_off__still_ends() -> None:
    tcb = states.after(states.fin_wait_2(), Close(NOW_US))
    tcb, _ = stepped(tcb, setting(SocketOptions(keepalive_idle_us=NEVER_US)))
    assert deadline_us(tcb) == NOW_US + tcb.agreed.parameters.fin_wait_2_us


def test_established__maxseg__no_segment_is_larger_and_it_only_lowers() -> None:
    tcb, _ = stepped(states.established(), setting(SocketOptions(maxseg_bytes=600)))
    tcb, _ = stepped(tcb, setting(SocketOptions(maxseg_bytes=1_400)))
    _, sent = send(tcb, bytes(5_000))
    assert [len(s.payload) for s in sent] == [588] * 8 + [296]


def test_established__congestion_control__goes_on_from_the_windows_there_are() -> None:
    tcb = states.established()
    after, _ = stepped(tcb, setting(SocketOptions(congestion="gossamer.core.tcp.congestion.newreno:NewReno")))
    assert after.congestion == replace(tcb.congestion, memory=None)
    assert after.agreed.parameters.congestion.endswith(":NewReno")


def test_close__linger_zero__aborts() -> None:
    tcb, _ = send(states.established(), b"x")
    tcb, _ = stepped(tcb, setting(SocketOptions(linger_us=0)))
    after, actions = step(tcb, Close(NOW_US))
    assert after is None
    assert [s.flags & RST for s in segments_in(actions)] == [RST]
    half_closed, _ = step(tcb, Close(NOW_US, receives=True))
    assert isinstance(half_closed, Tcb), "a half-close is no close"


@pytest.mark.parametrize("window", [states.PEER_WINDOW, 0], ids=["predicted", "eight checks"])
def test_close__lingers__the_ack_of_the_fin_is_reported(window: int) -> None:
    tcb, _ = send(states.established(TcpParameters(linger_us=SECOND_US)), b"x")
    tcb = states.after(tcb, Close(NOW_US))
    _, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK, window=window), NOW_US))
    assert actions == (Signal.FIN_ACKED,)
    _, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK, ack=-1), NOW_US))
    assert not actions, "the data alone is not all"


def test_close__does_not_linger__nothing_is_reported() -> None:
    tcb = states.after(states.established(), Close(NOW_US))
    assert step(tcb, SegmentArrives(from_peer(tcb), NOW_US))[1] == ()


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_dscp__configured__in_all_that_is_sent(state: State) -> None:
    """RFC 9293 3.9.1.9: MUST-48, and SHLD-22: passed to IP unchanged."""
    tcb = states.IN_STATE[state](TcpParameters(dscp=46, ecn="on"))
    _, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK | SYN, b"x", seq=1), NOW_US))
    actions += step(tcb, Timeout(NOW_US + 3_600 * SECOND_US))[1] + step(tcb, Abort(NOW_US))[1]
    sent = segments_in(actions)
    assert sent
    assert {segment.ecn >> 2 for segment in sent} == {46}


def test_dscp__set_while_open__holds_from_then_on_and_ecn_stays() -> None:
    """SHLD-21."""
    tcb, (before,) = send(states.established(TcpParameters(ecn="on")), b"before")
    tcb = states.after(tcb, SetOptions(SocketOptions(dscp=10), NOW_US))
    tcb, (after,) = send(tcb, b"after")
    assert (before.ecn >> 2, after.ecn >> 2) == (0, 10)
    assert after.ecn & 3 == before.ecn & 3
