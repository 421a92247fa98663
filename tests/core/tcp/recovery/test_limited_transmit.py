"""Limited transmit. RFC 3042 2."""

import pytest

from gossamer.core.sim.states import NOW_US, segment_arrives

from .lossy import MS, NEWRENO, RTT_US, in_flight, replace, report


@pytest.mark.parametrize(
    ("sack", "on", "sent_each"), [(False, True, [1, 1]), (False, False, [0, 0]), (True, True, [1, 1])]
)
def test_first_two_duplicates__let_out_one_new_segment_each(
    sack: bool, on: bool, sent_each: list[int]
) -> None:
    tcb = in_flight(4, replace(NEWRENO, sack=sack, limited_transmit=on), more=9)
    found = []
    for count in (1, 2):
        blocks = ((1, 1 + count),) if sack else ()
        tcb, sent = segment_arrives(tcb, report(tcb, 0, *blocks), NOW_US + RTT_US + count * MS)
        found.append(len(sent))
    assert found == sent_each
