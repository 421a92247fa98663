"""The model checker: no scenario shows a fault in seconds, and what is put in on purpose is found."""

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.records import replace
from gossamer.core.sim.model.explore import LINES_MAX, Counterexample, Explorer
from gossamer.core.sim.model.moves import Step
from gossamer.core.sim.model.scenarios import SCENARIOS
from gossamer.core.sim.model.world import ModelScenario
from gossamer.core.tcp.actions import Deliver, Signal
from gossamer.core.tcp.events import Event, SegmentArrives, Timeout
from gossamer.core.tcp.step import Connection, Outcome, step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, FIN, RST, Segment

DEPTH, WORLDS = 12, 1_200
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario__every_interleaving_to_a_depth__no_deadlock_no_unreachable_close_no_assertion(
    scenario: ModelScenario,
) -> None:
    explored = Explorer(scenario).explore(DEPTH, WORLDS)
    print(f"{explored.worlds} worlds, {explored.transitions} transitions, depth {explored.depth}")
    assert explored.worlds > 1_000
    assert explored.depth >= 3


def never_retransmits(before: Connection, event: Event) -> Outcome:
    """No timer is armed for what is sent."""
    after, actions = step(before, event)
    return (replace(after, rtx_at_us=NEVER_US) if isinstance(after, Tcb) else after), actions


def forgets_the_timer_in_close_wait(before: Connection, event: Event) -> Outcome:
    """The seed's fault: what is sent after the peer's FIN is sent once."""
    if isinstance(before, Tcb) and isinstance(event, Timeout) and before.state is State.CLOSE_WAIT:
        return replace(before, rtx_at_us=NEVER_US, snd_una=before.snd_nxt, snd_buf=(), snd_buf_bytes=0), ()
    return step(before, event)


def ignores_fin_after_its_own(before: Connection, event: Event) -> Outcome:
    """In FIN-WAIT-2 the peer's FIN is not heard."""
    if isinstance(before, Tcb) and before.state is State.FIN_WAIT_2 and isinstance(event, SegmentArrives):
        deaf = replace(event.segment, flags=event.segment.flags & ~FIN)
        return step(before, replace(event, segment=deaf))
    return step(before, event)


def delivers_twice(before: Connection, event: Event) -> Outcome:
    """A retransmission is handed to the user again."""
    after, actions = step(before, event)
    if isinstance(event, SegmentArrives) and event.segment.payload and isinstance(after, Tcb):
        again = () if any(isinstance(action, Deliver) for action in actions) else (Deliver(b"a"),)
        return after, actions + again
    return after, actions


def ends_before_the_last_octet(before: Connection, event: Event) -> Outcome:
    """The end of the stream is reported when a FIN is seen, gap or not."""
    after, actions = step(before, event)
    if isinstance(event, SegmentArrives) and event.segment.flags & FIN:
        return after, (*actions, Signal.END_OF_STREAM)
    return after, actions


def never_answers_old_segments(before: Connection, event: Event) -> Outcome:
    """A FIN that comes again in TIME-WAIT is not acknowledged again."""
    after, actions = step(before, event)
    if not isinstance(before, Tcb):
        return after, ()
    return after, actions


def resets_on_old_duplicates(before: Connection, event: Event) -> Outcome:
    """RFC 793's answer to a SYN in the window, which RFC 5961 took back."""
    is_arrival = isinstance(before, Tcb) and isinstance(event, SegmentArrives)
    if is_arrival and before.state is State.ESTABLISHED and event.segment.syn_options is not None:
        return None, (Segment(before.snd_nxt, before.rcv_nxt, RST | ACK, 0),)
    return step(before, event)


def asserts(before: Connection, event: Event) -> Outcome:
    """An exception in one rare state."""
    after, actions = step(before, event)
    if isinstance(after, Tcb) and after.state is State.CLOSING:
        raise AssertionError("never thought of")
    return after, actions


FAULTS = [
    (never_retransmits, "the client speaks", "not armed"),
    (forgets_the_timer_in_close_wait, "half-close", "no close"),
    (ignores_fin_after_its_own, "the client speaks", "no close"),
    (delivers_twice, "the client speaks", "received b'a"),
    (ends_before_the_last_octet, "the client speaks", "saw the end"),
    (never_answers_old_segments, "simultaneous close", "no close"),
    (resets_on_old_duplicates, "the client speaks", "failed"),
    (asserts, "simultaneous close", "never thought of"),
]


@pytest.mark.parametrize(
    ("fault", "scenario", "complaint"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_fault_put_in__is_found_with_the_way_to_it(fault: Step, scenario: str, complaint: str) -> None:
    with pytest.raises(Counterexample, match=complaint) as found:
        Explorer(BY_NAME[scenario], fault).explore(12, 30_000)
    printed = str(found.value).splitlines()
    assert len(printed) == min(len(found.value.way), LINES_MAX + 1) + 1
    assert "SYN-SENT" in printed[1]


def test_explore__the_same_twice__the_same_count() -> None:
    scenario = SCENARIOS[0]
    assert Explorer(scenario).explore(4) == Explorer(scenario).explore(4)
