"""What the model forgets of a connection, and what it keeps."""

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.model.abstraction import (
    LATER_US,
    LONG_AGO_US,
    TIMERS,
    abstracted,
    aged,
    timers_running,
)
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.events import Send
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State, Tcb, TimeWait


def test_timers__are_the_deadlines_of_a_connection() -> None:
    assert {"rtx_at_us", "ack_at_us", "slow_at_us"} <= set(TIMERS)
    assert not {"rcv_at_us", "snd_at_us", "challenge_at_us"} & set(TIMERS)


@pytest.mark.parametrize("state", State, ids=lambda state: state.name.lower())
def test_abstracted__each_state__keeps_all_but_times(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    kept = abstracted(tcb, is_patient=False)
    assert isinstance(kept, Tcb)
    assert timers_running(kept) == timers_running(tcb)
    for name in tcb.__struct_fields__:
        if not name.endswith("_us") and name != "round_trip":
            assert getattr(kept, name) == getattr(tcb, name)


def test_abstracted__other_deadlines__the_same_world() -> None:
    tcb = states.after(states.established(), Send(b"x", NOW_US))
    other = replace(tcb, rtx_at_us=tcb.rtx_at_us + 123_456)
    assert abstracted(tcb, True) == abstracted(other, True)
    assert abstracted(replace(tcb, rtx_at_us=NEVER_US), True) != abstracted(tcb, True)


def test_abstracted__tries__count_only_where_they_are_bounded() -> None:
    tcb = states.after(states.established(), Send(b"x", NOW_US))
    third, fourth = replace(tcb, backoff=3), replace(tcb, backoff=4)
    assert abstracted(third, True) == abstracted(fourth, True) != abstracted(tcb, True)
    assert abstracted(third, False) != abstracted(fourth, False)


def test_aged__what_was_now__is_long_ago_and_timers_run_on() -> None:
    tcb = aged(abstracted(states.after(states.established(), Send(b"x", NOW_US)), True))
    assert isinstance(tcb, Tcb)
    assert (tcb.snd_at_us, tcb.rcv_at_us, tcb.rtx_at_us) == (LONG_AGO_US, LONG_AGO_US, LATER_US)
    assert tcb.agreed.parameters.challenge_interval_us < NOW_US - LONG_AGO_US


def test_aged__time_wait__keeps_its_end_to_come() -> None:
    record = replace(states.time_wait(), answered_at_us=NOW_US, expires_at_us=NOW_US + 60 * SECOND_US)
    after = aged(abstracted(record, True))
    assert isinstance(after, TimeWait)
    assert (after.answered_at_us, after.expires_at_us) == (LONG_AGO_US, LATER_US)
