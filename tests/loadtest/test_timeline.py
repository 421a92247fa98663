"""A run by the second: what each interval has counted, and that they sum to the whole."""

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.result import merged, result_of
from gossamer.loadtest.tally import Tally
from gossamer.loadtest.thresholds import parse_threshold
from gossamer.loadtest.timeline import INTERVALS_MAX, Interval, Timeline, added, side_by_side

from .virtual_server import ANSWER, found_of, perform


def test_cut__two_intervals__each_its_own() -> None:
    timeline, tally = Timeline(1_000), Tally()
    assert timeline.cut(1_000, tally) is None
    tally.answered(200, 5_000, 5_000, 0)
    first = timeline.cut(1_000 + SECOND_US, tally)
    tally.answered(200, 70_000, 5_000, 0)
    tally.answered(404, 80, 80, 0)
    tally.unanswered(9_000, None)
    second = timeline.cut(1_000 + 2 * SECOND_US + 7, tally)
    assert first is not None
    assert second is not None
    assert (first.answered, first.errors, first.times().max_us) == (1, 0, pytest.approx(5_000, rel=0.01))
    assert (second.answered, second.errors, second.times().samples_total) == (2, 1, 2)
    assert second.times().percentile_us(1) == 80
    assert second.times().floors_total == 1
    assert timeline.edge_us == 1_000 + 3 * SECOND_US


def test_width__many_intervals__doubles() -> None:
    timeline, tally = Timeline(0), Tally()
    for _ in range(INTERVALS_MAX):
        timeline.cut(timeline.edge_us, tally)
    assert timeline.width_us == 2 * SECOND_US


def test_run__its_intervals__sum_to_the_whole() -> None:
    run = perform(lambda _: (1_000, ANSWER), rate=100.0, duration_us=3 * SECOND_US, warm_up_us=SECOND_US)
    found = found_of(run)["timeline"]
    assert [each["sent"] for each in found[:3]] == [pytest.approx(100, abs=1)] * 3
    assert sum(each["answered"] for each in found) == 300
    assert sum(sum(each["counts"][1::2]) for each in found) == 300


def test_side_by_side__two_engines__sums() -> None:
    one = [Interval(0, 5, 1, 1, 0, 0, b"\1\0\0\0\0\0\0\0"), Interval(5, 9, 1)]
    other = [Interval(0, 6, 2, 1, 0, 1, b"\2\0\0\0\0\0\0\0" * 2)]
    first, second = side_by_side(one, other)
    assert (first.start_us, first.end_us, first.sent, first.unanswered) == (0, 6, 3, 1)
    assert first.response == b"\3\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
    assert second == one[1]
    assert added(one[0], one[1]).end_us == 9


def test_merged__two_engines__sums() -> None:
    runs = [perform(lambda _: (1_000, ANSWER), rate=100.0, duration_us=SECOND_US) for _ in range(2)]
    whole = merged(map(result_of, runs), runs[0].options)
    assert (whole.due, whole.tally.answered_total, whole.engines, whole.stood) == (200, 200, 2, 8)
    assert whole.tally.response.samples_total == 200
    assert sum(each.answered for each in whole.intervals) == 200


def test_threshold__cannot_be_met_any_more__the_run_ends() -> None:
    thresholds = (parse_threshold("p99<500us"),)
    run = perform(lambda _: (1_000, ANSWER), rate=100.0, duration_us=60 * SECOND_US, thresholds=thresholds)
    found = found_of(run)
    assert found["ended_by"] == "p99<500us"
    assert found["due_total"] == found["requests_total"] < 1_000
    assert found["requests_per_second"] == pytest.approx(100, rel=0.02)
    assert found["thresholds"][0]["met"] is False
    assert not found["interrupted"]
