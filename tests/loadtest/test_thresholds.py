"""Thresholds: their grammar, whether a run meets them, and whether it still can."""

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.failures import RequestPhase
from gossamer.loadtest.tally import Tally
from gossamer.loadtest.thresholds import is_hopeless, judged, needed_us, parse_threshold
from gossamer.shards.exitcode import ConfigError


def tally_of(times_us: list[int], timed_out: int = 0) -> Tally:
    tally = Tally()
    for time_us in times_us:
        tally.answered(200, time_us, time_us // 2, 0)
    for _ in range(timed_out):
        tally.failed(TimeoutError(), RequestPhase.FIRST_BYTE, 0, b"")
        tally.unanswered(SECOND_US, SECOND_US)
    return tally


HUNDRED = [1_000] * 90 + [20_000] * 10


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("p50<2ms", True),
        ("p90 < 2ms", True),
        ("p95<2ms", False),
        ("p95<=21ms", True),
        ("service.p95<11ms", True),
        ("max>10ms", True),
        ("mean<1ms", False),
        ("rate>=500", True),
        ("rate>501", False),
        ("errors<1%", True),
        ("errors<=0", True),
        ("errors<0", False),
    ],
)
def test_judged__a_hundred_answers(text: str, met: bool) -> None:
    assert judged(parse_threshold(text), tally_of(HUNDRED), 500.0).met is met


def test_judged__percentile_known_only_from_below__not_met() -> None:
    found = judged(parse_threshold("p99<2s"), tally_of([1_000] * 95, timed_out=5), 1.0)
    assert (found.met, found.at_least) == (False, True)
    assert judged(parse_threshold("p50<2ms"), tally_of([1_000] * 95, timed_out=5), 1.0).met
    assert judged(parse_threshold("errors<=5%"), tally_of([1_000] * 95, timed_out=5), 1.0).met
    assert not judged(parse_threshold("errors<5"), tally_of([1_000] * 95, timed_out=5), 1.0).met


def test_judged__nothing_was_asked__nothing_is_met() -> None:
    assert not judged(parse_threshold("p50<1s"), Tally(), 0.0).met


@pytest.mark.parametrize(
    ("text", "due_total", "hopeless"),
    [
        ("p90<2ms", 100, False),
        ("p91<2ms", 100, True),
        ("p91<2ms", 200, False),
        ("p91<2ms", None, False),
        ("max<20ms", None, True),
        ("max<30ms", None, False),
        ("rate>100", 100, False),
        ("errors<1", None, False),
    ],
)
def test_hopeless__while_it_goes_on(text: str, due_total: int | None, hopeless: bool) -> None:
    assert is_hopeless(parse_threshold(text), tally_of(HUNDRED), due_total) is hopeless


def test_hopeless__too_many_errors() -> None:
    tally = tally_of(HUNDRED, timed_out=2)
    assert is_hopeless(parse_threshold("errors<1"), tally, None)
    assert is_hopeless(parse_threshold("errors<1%"), tally, 150)
    assert not is_hopeless(parse_threshold("errors<1%"), tally, 1_000)


def test_needed__ten_beyond_the_percentile() -> None:
    assert needed_us(parse_threshold("p99<1s"), 100.0) == pytest.approx(10 * SECOND_US, rel=0.01)
    assert needed_us(parse_threshold("errors<1%"), 100.0) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p99",
        "p99<50",
        "p101<1s",
        "q99<1s",
        "p99=1s",
        "errors<x",
        "errors<-1",
        "rate>1/s",
        "service.rate>1",
    ],
)
def test_wrong__one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="--require: found") as caught:
        parse_threshold(text)
    assert "\n" not in str(caught.value)
