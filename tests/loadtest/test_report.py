"""What the reports print."""

import io

import pytest
from rich.console import Console

from gossamer.core.http.client import ResponseError
from gossamer.loadtest import bench_report
from gossamer.loadtest.pace import Shape
from gossamer.loadtest.report import ProgressDisplay, human_bytes, human_us, print_summary
from gossamer.loadtest.tally import Tally, kind_of


@pytest.mark.parametrize(
    ("us", "text"), [(0, "0 us"), (999, "999 us"), (1500, "1.50 ms"), (2_500_000, "2.50 s")]
)
def test_human_us(us: int, text: str) -> None:
    assert human_us(us) == text


@pytest.mark.parametrize(("count", "text"), [(5, "5 B"), (2048, "2.00 KiB"), (3 << 40, "3.00 TiB")])
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), "refused"),
        (BrokenPipeError(), "reset"),
        (TimeoutError(), "timeout"),
        (EOFError(), "closed early"),
        (ResponseError(), "bad response"),
        (OSError(5, "x"), "other"),
    ],
)
def test_kind_of__each_error__has_a_name(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


def test_kind_of__our_own_bug__is_not_counted_away() -> None:
    with pytest.raises(StopIteration):
        kind_of(KeyError())


def filled() -> Tally:
    tally = Tally()
    for latency_us in range(1, 101):
        tally.answered(200, latency_us, 10)
    tally.answered(404, 5_000, 0)
    tally.failed(ConnectionResetError())
    tally.connected(40)
    return tally


def test_summary__everything_counted__is_there() -> None:
    summary = filled().summary(2_000_000)
    assert (summary["requests_total"], summary["requests_per_second"]) == (101, 50.5)
    assert summary["errors_total"] == 2
    assert summary["errors"] == {"reset": 1}
    assert summary["statuses"] == {"2xx": 100, "4xx": 1}
    assert summary["latency_us"]["p50"] == 51
    assert summary["latency_us"]["max"] == 5_000


def test_print_summary__a_run__names_rate_errors_and_percentiles() -> None:
    out = io.StringIO()
    summary = {"url": "http://h/", "stack": "kernel", "connections": 4, **filled().summary(2_000_000)}
    print_summary(summary, Console(file=out, width=120))
    for expected in ("50.5 requests/s", "reset 1", "2xx 100", "p99.9", "5.00 ms"):
        assert expected in out.getvalue()


def test_progress__no_terminal__silent() -> None:
    out = io.StringIO()
    display = ProgressDisplay(Console(file=out))
    display.show(Shape(0, 1_000_000, 100), filled(), 500_000)
    display.close()
    assert out.getvalue() == ""


def test_progress__terminal__shows_rate_and_errors() -> None:
    out = io.StringIO()
    display = ProgressDisplay(Console(file=out, force_terminal=True, width=120))
    display.show(Shape(0, 1_000_000, 100), filled(), 500_000)
    display.close()
    assert "202 req/s" in out.getvalue()
    assert "2 errors" in out.getvalue()


def test_bench_report__result__figures_beside_their_targets() -> None:
    figures = {
        "cpu_us_per_request": 7.25,
        "machine_cpu_us_per_request": 20.0,
        "softirq_us_per_request": 1.0,
        "requests_per_second": 40_000.0,
        "errors_total": 0,
    }
    target = {
        "name": "a / b",
        "figure": 1.6,
        "limit": 1.5,
        "unit": "x",
        "made_by": "pairs",
        "is_met": False,
    }
    result = {
        "http": {"keep-alive": {"nginx": figures}},
        "size": {"rounds": 3, "seconds": 2},
        "targets": [target, {**target, "is_met": True}],
        "notes": ["uvicorn: not run, it is missing"],
    }
    out = io.StringIO()
    bench_report.show(result, Console(file=out, width=132))
    for expected in (
        "7.25",
        "40,000",
        "3 interleaved rounds of 2 s",
        "1.6 x",
        "1.5 x",
        "missed",
        "met",
        "not run",
    ):
        assert expected in out.getvalue()
