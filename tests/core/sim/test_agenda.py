"""Virtual time."""

import pytest

from gossamer.core.errors import BoundExceeded
from gossamer.core.sim.agenda import START_US, Agenda


def test_run__events_of_one_time__in_the_order_they_were_entered() -> None:
    agenda, seen = Agenda(100), list[tuple[int, str]]()
    for at_us, name in ((50, "b"), (20, "a"), (50, "c"), (90, "d")):
        agenda.at(START_US + at_us, lambda name: seen.append((agenda.now_us - START_US, name)), name)
    agenda.run(START_US + 90)
    assert seen == [(20, "a"), (50, "b"), (50, "c")]
    agenda.run()
    assert seen[-1] == (90, "d")


def test_run__an_event_stops_it__the_rest_waits() -> None:
    agenda, seen = Agenda(100), list[int]()
    agenda.at(START_US + 1, lambda _: agenda.stop(), None)
    agenda.at(START_US + 2, seen.append, 2)
    agenda.run()
    assert not seen
    agenda.run()
    assert seen == [2]


def test_run__without_end__says_so() -> None:
    agenda = Agenda(100)

    def again(_: None) -> None:
        agenda.at(agenda.now_us, again, None)

    again(None)
    with pytest.raises(BoundExceeded):
        agenda.run()
