"""SET BUFFERS: smaller and larger ones on a connection that is under way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.seq import seq_add, seq_diff
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, segments_in, send, stepped
from gossamer.core.tcp.actions import Accepted, Signal
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import Receive, Send, SetBuffers
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb

LARGE, SMALL = 1 << 20, 1 << 14


def sizes(size: int) -> SetBuffers:
    return SetBuffers(size, size, NOW_US)


@pytest.mark.parametrize("state", State)
def test_set_buffers__in_every_state__holds_and_encodes(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    after, actions = step(tcb, sizes(SMALL))
    assert isinstance(after, Tcb)
    assert not segments_in(actions)
    assert (after.rcv_wnd, decode(encode(after))) == (tcb.rcv_wnd, after)
    assert after.agreed.parameters.send_buffer_bytes == SMALL
    record = states.time_wait()
    assert step(record, sizes(SMALL)) == (record, ())


def test_send__smaller_than_what_it_holds__takes_nothing_more_and_says_when_there_is_room() -> None:
    tcb, _ = send(states.established(), b"s" * 100_000)
    tcb, _ = stepped(tcb, sizes(SMALL))
    after, actions = step(tcb, Send(b"more", NOW_US))
    assert actions[-1] == Accepted(0)
    assert isinstance(after, Tcb)
    after, actions = step(after, sizes(LARGE))
    assert Signal.SEND_SPACE in actions, "who waits for room is not told that there is some"


def test_receive__larger_again__the_window_is_offered_at_once() -> None:
    """RFC 9293 3.8.6.2.2."""
    tcb = states.established(TcpParameters(receive_buffer_bytes=65_535))
    tcb, _ = stepped(tcb, sizes(SMALL))
    while tcb.rcv_wnd:
        tcb, _ = segment_arrives(tcb, from_peer(tcb, payload=b"r" * min(1_400, tcb.rcv_wnd)))
    tcb, actions = step(tcb, sizes(65_535 + 10_000))
    (told,) = segments_in(actions)
    assert told.window << tcb.agreed.rcv_wind_shift == tcb.rcv_wnd == 10_000


@given(
    st.lists(
        st.one_of(
            st.integers(4_096, LARGE).map(sizes),
            st.integers(1, 40_000).map(lambda count: Receive(count, NOW_US)),
            st.integers(1, 20_000),
        ),
        max_size=60,
    )
)
def test_receive__any_course_of_sizes__the_right_edge_never_moves_left(course: list[object]) -> None:
    """RFC 9293 3.8.6.2.1: what was offered is taken, however small the buffer has become since."""
    tcb, sent, received = states.established(TcpParameters(receive_buffer_bytes=LARGE)), 0, 0
    for each in course:
        edge = seq_add(tcb.rcv_nxt, tcb.rcv_wnd)
        if isinstance(each, int):
            size = min(each, tcb.rcv_wnd)
            if not size:
                continue
            after, _ = segment_arrives(tcb, from_peer(tcb, payload=b"r" * size))
            sent += size
        else:
            assert isinstance(each, SetBuffers | Receive)
            after, actions = step(tcb, each)  # type: ignore[assignment]
            if isinstance(each, Receive) and tcb.rcv_buf_bytes:
                received += len(actions[0].data)  # type: ignore[union-attr]
        assert isinstance(after, Tcb)
        assert seq_diff(seq_add(after.rcv_nxt, after.rcv_wnd), edge) >= 0
        tcb = after
        assert tcb.rcv_buf_bytes == sent - received
