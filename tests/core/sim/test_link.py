"""One direction of a wire."""

import pytest

from gossamer.core.sim.link import Faults, Line, Link
from gossamer.core.sim.loss import DropExactly

MEGABIT = 1_000_000
FAST = Faults(delay_us=10_000)


def test_line__of_one_megabit__a_byte_takes_eight_microseconds() -> None:
    link = Link(FAST, 0, Line(MEGABIT))
    assert link.arrivals_us(1_000, 1_000) == (1_000 + 8_000 + 10_000,)
    assert link.arrivals_us(1_000, 500) == (1_000 + 8_000 + 4_000 + 10_000,), "the second waits for the first"
    assert link.waiting_bytes(1_000) == 1_500
    assert link.waiting_bytes(9_000) == 500
    assert link.arrivals_us(100_000, 1_000) == (118_000,), "the line was idle"


def test_line__rate_that_divides_badly__loses_no_time_to_rounding() -> None:
    link = Link(Faults(delay_us=0), 0, Line(9_999_991))
    last_us = 0
    for _ in range(10_000):
        (last_us,) = link.arrivals_us(0, 1_500)
    assert last_us == pytest.approx(10_000 * 1_500 * 8 / 9.999991, abs=12)


def test_queue__that_is_full__drops_the_last() -> None:
    link = Link(FAST, 0, Line(MEGABIT, queue_bytes=3_000))
    assert [len(link.arrivals_us(0, 1_000)) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert link.counts.overflowed == 2
    assert link.counts.queue_bytes_max == 3_000
    assert len(link.arrivals_us(8_000, 1_000)) == 1, "one has left"


def test_faults__each_is_drawn_and_counted() -> None:
    faults = Faults(loss=0.1, duplicate=0.1, reorder=0.1, delay_us=1_000, reorder_us=50_000)
    link = Link(faults, 3)
    arrivals = [link.arrivals_us(0) for _ in range(10_000)]
    counts = link.counts
    assert counts.lost == sum(not times for times in arrivals) == pytest.approx(1_000, rel=0.1)
    assert counts.duplicated == sum(len(times) == 2 for times in arrivals) == pytest.approx(900, rel=0.1)
    assert counts.reordered == sum(time > 50_000 for times in arrivals for time in times)
    assert counts.reordered == pytest.approx(990, rel=0.1)


def test_jitter__stays_within_its_bound() -> None:
    link = Link(Faults(delay_us=1_000, jitter_us=300), 3)
    times = [link.arrivals_us(0)[0] for _ in range(5_000)]
    assert (min(times), max(times)) == (1_000, 1_300)


def test_corruption__takes_its_share_and_leaves_the_rest_alone() -> None:
    link = Link(Faults(corrupt=0.2), 3)
    assert sum(link.spoils() for _ in range(10_000)) == link.counts.corrupted == pytest.approx(2_000, rel=0.1)
    assert not any(Link(Faults(), 3).spoils() for _ in range(100))


def test_models__are_asked_beside_the_loss() -> None:
    link = Link(Faults(models=(DropExactly(1, 2),)), 0)
    assert [len(link.arrivals_us(0)) for _ in range(4)] == [1, 0, 0, 1]


def test_mtu__changes_when_it_is_time() -> None:
    link = Link(FAST, 0, Line(mtu_changes=((100, 1_200), (200, 1_500))))
    assert [link.mtu_bytes(now_us) for now_us in (0, 100, 199, 200)] == [0, 1_200, 1_200, 1_500]


def test_marks__queue_over_its_threshold__from_then_on() -> None:
    link = Link(Faults(), 1, Line(rate_bps=8_000_000, queue_bytes=10_000, mark_bytes=2_000))
    marked = []
    for _ in range(5):
        link.arrivals_us(0, 1_000)
        marked.append(link.marks(0))
    assert marked == [False, False, True, True, True]
    assert link.counts.marked == 3
    assert not link.marks(5_000), "all has left"
