"""Peers that take little or nothing: bounded memory, few segments, and an end."""

from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Failed, Failure
from gossamer.core.tcp.events import Close, SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timeouts import deadline_us

from .besieged import hears, segments, sending, watched


@pytest.mark.parametrize("window_before", [1, 40, 64_000])
def test_slow_read__window_of_one_octet__no_stream_of_tiny_segments(window_before: int) -> None:
    """Silly windows: RFC 9293 3.8.6.2.1. One segment per override timeout, at the most, whether the
    window was ever larger or not."""
    tcb, sent, now_us = states.established(), 0, NOW_US
    tcb = replace(tcb, snd_wnd=window_before, max_snd_wnd=window_before)
    tcb, _ = hears(tcb, from_peer(tcb, window=1))
    tcb, _ = watched(tcb, Send(b"x" * 100_000, NOW_US))
    for number in range(1_000):
        now_us = NOW_US + number * 1_000
        tcb, actions = hears(tcb, from_peer(tcb, window=1), now_us)
        sent += len(segments(actions))
        if deadline_us(tcb) <= now_us:
            tcb, actions = watched(tcb, Timeout(now_us))
            sent += len(segments(actions))
    assert sent <= 5


def test_window_shrink__right_edge_taken_back__kept_and_probed() -> None:
    """RFC 9293 3.8.6: "a TCP receiver SHOULD NOT shrink the window [...] the sender MUST be robust"."""
    tcb = sending(10_000)
    tcb, _ = hears(tcb, from_peer(tcb, ack=-9_000, window=0))
    assert tcb.snd_buf_bytes == 9_000
    assert deadline_us(tcb) < NOW_US + 10_000_000
    tcb, actions = watched(tcb, Timeout(deadline_us(tcb)))
    assert [(s.seq, len(s.payload)) for s in segments(actions)] == [(tcb.snd_una, 1)]
    tcb, actions = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt), NOW_US + 20_000_000)
    assert segments(actions)[0].seq == tcb.snd_una


def test_window_zero_for_ever__probes_acknowledged__few_of_them_and_memory_bounded() -> None:
    """RFC 9293 3.8.6.1: the persist timer backs off to a minute, and the connection is kept."""
    parameters = TcpParameters(send_buffer_bytes=10_000)
    tcb, probes, now_us = states.established(parameters), 0, NOW_US
    tcb, _ = hears(tcb, from_peer(tcb, window=0))
    while now_us < NOW_US + 3_600 * SECOND_US:
        tcb, _ = watched(tcb, Send(b"x" * 5_000, now_us))
        assert tcb.snd_buf_bytes <= parameters.send_buffer_bytes
        now_us = deadline_us(tcb)
        tcb, actions = watched(tcb, Timeout(now_us))
        probes += len(segments(actions))
        tcb, _ = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, window=0), now_us + 1_000)
    assert probes < 75


def test_window_zero_for_ever__user_timeout__ends_it() -> None:
    """RFC 5482, RFC 6429."""
    parameters = TcpParameters(user_timeout_us=60 * SECOND_US)
    tcb, now_us = states.established(parameters), NOW_US
    tcb, _ = hears(tcb, from_peer(tcb, window=0))
    after: Any = watched(tcb, Send(b"x", NOW_US))[0]
    while isinstance(after, Tcb):
        now_us = deadline_us(after)
        after, actions = step(after, Timeout(now_us))
        if isinstance(after, Tcb):
            answer = from_peer(after, ack=after.snd_una - after.snd_nxt, window=0)
            after, _ = step(after, SegmentArrives(answer, now_us + 1_000))
    assert Failed(Failure.TIMED_OUT) in actions
    assert now_us < NOW_US + 200 * SECOND_US


HUNG = (State.SYN_SENT, State.SYN_RECEIVED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK)


@pytest.mark.parametrize("state", HUNG, ids=lambda state: state.name.lower())
def test_half_close_and_vanish__each_state__a_timer_runs_until_the_record_goes(state: State) -> None:
    """FIN-WAIT-2 by its own timer, the others by R2 of what they sent: at most 16 timeouts, 20 minutes."""
    after: Any = states.IN_STATE[state](TcpParameters())
    if state in (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING):
        after = watched(after, Close(NOW_US))[0]
    now_us, timeouts = NOW_US, 0
    while after is not None:
        now_us, timeouts = max(deadline_us(after), now_us), timeouts + 1
        after, _ = step(after, Timeout(now_us))
    assert timeouts <= 17
    assert now_us < NOW_US + 1_200 * SECOND_US


def test_half_close_and_vanish__close_wait__keepalive_ends_it() -> None:
    """RFC 9293 3.8.4: there the user has the connection; where keepalive is on, a dead peer is found out."""
    after: Any = states.close_wait(TcpParameters(keepalive_idle_us=60 * SECOND_US, keepalive_probes=3))
    for _ in range(6):
        if after is None:
            break
        after, actions = step(after, Timeout(deadline_us(after)))
    assert after is None
    assert Failed(Failure.TIMED_OUT) in actions
