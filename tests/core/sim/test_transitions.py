"""Figure 5 as data, and what does not keep to it."""

import pytest

from gossamer.core.sim import states, transitions
from gossamer.core.sim.transitions import CLOSED, FIGURE_5, TIME_WAIT, Cause, Place, reachable
from gossamer.core.tcp.actions import Failed, Failure
from gossamer.core.tcp.events import Close, SegmentArrives, Timeout
from gossamer.core.tcp.tcb import State
from gossamer.core.wire.segment import ACK, FIN, RST

NOW_US = states.NOW_US


def test_figure__every_state_is_left_and_closed_is_reached_from_each() -> None:
    arrows: dict[Place, set[Place]] = {}
    for start, _, end in FIGURE_5:
        arrows.setdefault(start, set()).add(end)
    assert set(arrows) == {*State, TIME_WAIT}
    for start in arrows:
        found = {start}
        while more := {end for place in found for end in arrows.get(place, ())} - found:
            found |= more
        assert CLOSED in found


def test_reachable__one_segment_may_follow_two_arrows__in_their_order() -> None:
    both = (Cause.ACK_OF_FIN, Cause.FIN)
    assert reachable(State.FIN_WAIT_1, both) == {
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSING,
        TIME_WAIT,
    }
    assert TIME_WAIT not in reachable(State.FIN_WAIT_1, (Cause.ACK_OF_FIN,))
    assert reachable(State.ESTABLISHED, (Cause.TIMEOUT,)) == {State.ESTABLISHED}


def test_step__along_an_arrow__passes() -> None:
    before = states.established()
    fin = SegmentArrives(states.from_peer(before, ACK | FIN), NOW_US)
    transitions.check(before, fin, states.close_wait(), ())
    transitions.check(states.fin_wait_2(), fin, states.time_wait(), ())
    transitions.check(before, Close(NOW_US), states.fin_wait_1(), ())


@pytest.mark.parametrize("after", [State.CLOSE_WAIT, State.FIN_WAIT_2, State.LAST_ACK, State.SYN_RECEIVED])
def test_step__where_no_arrow_leads__is_found(after: State) -> None:
    before = states.established()
    plain = SegmentArrives(states.from_peer(before, ACK, b"x"), NOW_US)
    with pytest.raises(AssertionError, match="no arrow"):
        transitions.check(before, plain, states.IN_STATE[after](states.DEFAULT_PARAMETERS), ())


def test_end__without_a_reason__is_found() -> None:
    before = states.established()
    with pytest.raises(AssertionError, match="no reason"):
        transitions.check(before, Timeout(NOW_US), None, ())
    with pytest.raises(AssertionError, match="no reason"):
        transitions.check(before, SegmentArrives(states.from_peer(before), NOW_US), None, ())


def test_end__with_a_reason__passes() -> None:
    before = states.established()
    transitions.check(before, Timeout(NOW_US), None, (Failed(Failure.TIMED_OUT),))
    transitions.check(before, SegmentArrives(states.from_peer(before, RST), NOW_US), None, ())
    transitions.check(states.fin_wait_2(), Timeout(NOW_US), None, ())
