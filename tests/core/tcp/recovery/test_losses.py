"""Which rule finds what is lost: RACK, counting, duplicates; and the timer in front of the timeout."""

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.sim.states import NOW_US, segment_arrives
from gossamer.core.tcp.recovery.losses import after_reordering_timer, is_reordering_timer
from gossamer.core.tcp.recovery.records import Phase, Recovery

from .lossy import MS, NEWRENO, RTT_US, at, in_flight, places, replace, report

ARRIVES_US = NOW_US + RTT_US


@pytest.mark.parametrize(
    ("changes", "blocks", "lost"),
    [
        # RFC 8985 6.2: all that was sent before what has arrived, once three segments' worth is reported.
        ({}, ((4, 7),), [0, 1, 2, 3]),
        ({}, ((4, 6),), []),
        # RFC 6675 4: only what has more than two segments reported above it.
        ({"rack": False}, ((1, 2), (4, 7)), [0, 2, 3]),
        ({"rack": False}, ((4, 6),), []),
        # RFC 6582: the first, at the third duplicate.
        ({"sack": False}, ((), (), ()), [0]),
        ({"sack": False}, ((), ()), []),
    ],
)
def test_found__by_the_rule_in_use(
    changes: dict[str, bool], blocks: tuple[tuple[int, int], ...], lost: list[int]
) -> None:
    tcb = in_flight(8, replace(NEWRENO, **changes))
    sent_places = []
    cwnd = tcb.congestion.cwnd
    reports = [blocks] if tcb.agreed.sack else [()] * len(blocks)
    for reported in reports:
        tcb, sent = segment_arrives(tcb, report(tcb, 0, *reported), ARRIVES_US)
        sent_places += places(tcb, sent)
    recovery = tcb.recovery
    assert recovery is not None
    missing = [
        place for left, right in recovery.lost for place in range(*places_of(tcb.snd_una, left, right))
    ]
    assert sorted(sent_places + missing) == lost
    assert (recovery.phase is Phase.FAST) == (tcb.congestion.cwnd < cwnd) == bool(lost)


def places_of(una: int, left: int, right: int) -> tuple[int, int]:
    return ((left - una) & 0xFFFFFFFF) // 1448, ((right - una) & 0xFFFFFFFF) // 1448


@pytest.mark.parametrize(
    ("rto_at_us", "is_it"), [(NEVER_US, False), (ARRIVES_US + MS, True), (ARRIVES_US, False)]
)
def test_reordering_timer__stands_before_a_timeout_to_come(rto_at_us: int, is_it: bool) -> None:
    tcb = in_flight(8)
    tcb = replace(tcb, recovery=Recovery(Phase.DISORDER, tcb.snd_una, rto_at_us=rto_at_us))
    assert is_reordering_timer(tcb, ARRIVES_US) is is_it


def test_after_reordering_timer__the_timeout_is_next() -> None:
    tcb = in_flight(3)
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (1, 2)), ARRIVES_US)
    assert tcb.recovery is not None
    rto_at_us = tcb.recovery.rto_at_us
    assert tcb.rtx_at_us < rto_at_us < NEVER_US
    tcb = after_reordering_timer(tcb, tcb.rtx_at_us)
    assert tcb.recovery is not None
    assert (tcb.rtx_at_us, tcb.recovery.rto_at_us) == (rto_at_us, NEVER_US)
    assert tcb.recovery.lost == ((tcb.snd_una, at(tcb, 1)),)
