"""What a user's algorithm gives is a window, or an error that names it: at every event, in both builds."""

from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.tcp.congestion import events
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.congestion.newreno import NewReno
from gossamer.core.tcp.congestion.own import CongestionControlError
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.tcb import Tcb


def wrong(*_: Any) -> Any:
    return 14600


class Begins(NewReno):
    begin = wrong


class Shrinks(NewReno):
    """Windows of nothing."""

    def begin(self, cwnd: int, smss: int) -> Congestion:
        del cwnd, smss
        return Congestion(0)


class Answers(NewReno):
    on_ack = on_loss = on_rto = on_ecn = on_recovered = on_undo = wrong


EVENTS: dict[str, Callable[[Tcb], Congestion]] = {
    "acknowledged": lambda tcb: events.acknowledged(tcb, 1460, 1460, 0),
    "lost": lambda tcb: events.lost(tcb, 0),
    "timed out": lambda tcb: events.timed_out(tcb, 0, True),
    "marked": lambda tcb: events.marked(tcb, 0),
    "recovered": lambda tcb: events.recovered(tcb, 0),
    "undone": lambda tcb: events.undone(tcb, tcb.congestion),
}


def governed_by(name: str) -> Tcb:
    tcb = states.established()
    parameters = replace(tcb.agreed.parameters, congestion=f"{__name__}:{name}")
    return replace(tcb, agreed=replace(tcb.agreed, parameters=parameters))


@pytest.mark.parametrize("event", EVENTS)
def test_own__event_answered_with_a_number__one_error_that_names_the_algorithm(event: str) -> None:
    with pytest.raises(CongestionControlError, match=r":Answers\" returned 14600: no Congestion"):
        EVENTS[event](governed_by("Answers"))


@pytest.mark.parametrize(("name", "said"), [("Begins", "no Congestion"), ("Shrinks", "cwnd is above 0")])
def test_own__wrong_window_at_the_start__one_error_that_names_the_algorithm(name: str, said: str) -> None:
    with pytest.raises(CongestionControlError, match=f":{name}.* returned .*{said}"):
        initial_congestion(governed_by(name).agreed)
