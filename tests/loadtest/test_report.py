"""What the reports print."""

import io

import pytest
from rich.console import Console

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.report import ProgressDisplay, human_bytes, human_us, print_summary
from gossamer.loadtest.run import LoadRun

from .virtual_server import ANSWER, Fate, found_of, perform

MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0 us"),
        (999, "999 us"),
        (1500, "1.50 ms"),
        (59_430, "59.4 ms"),
        (999_600, "1.00 s"),
        (2_500_000, "2.50 s"),
    ],
)
def test_human_us(us: int, text: str) -> None:
    assert human_us(us) == text


@pytest.mark.parametrize(("count", "text"), [(5, "5 B"), (2048, "2.00 KiB"), (3 << 40, "3.00 TiB")])
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


def after(delay_us: int, answer: bytes = ANSWER) -> Fate:
    return lambda _now_us: (delay_us, answer)


def printed(run: LoadRun, width: int = 120) -> str:
    out = io.StringIO()
    found = {"url": "http://h/", "stack": "kernel", "connections": 4, **found_of(run)}
    print_summary(found, Console(file=out, width=width))
    return out.getvalue()


def test_print_summary__a_run__names_rate_errors_and_percentiles() -> None:
    run = perform(after(5_000), rate=50.0, duration_us=2 * SECOND_US)
    for expected in ("50.0 requests/s", "100 of 100", "200 100", "p99.9", "5.00 ms", "none"):
        assert expected in printed(run)


def test_print_summary__unanswered__each_outcome_and_an_example() -> None:
    run = perform(after(0, b"SSH-2.0\r\n\r\n"), rate=50.0, duration_us=2 * SECOND_US)
    text = printed(run)
    assert "failed 100" in text
    assert "bad status line, first byte: 100 at 0.0 to 2.0 s; bad status line: 'SSH-2.0" in text
    assert ">= " in text


def test_print_summary__forty_columns__every_figure_is_whole() -> None:
    run = perform(after(900_000), rate=100.0, connections=64, duration_us=SECOND_US, drain_us=0)
    text = printed(run, width=40)
    assert ">= 900 ms" in text
    assert "\u2026" not in text
    assert max(map(len, text.splitlines())) <= 40


def progress_of(**options: object) -> str:
    out = io.StringIO()
    display = ProgressDisplay(Console(file=out, width=120, **options))  # type: ignore[arg-type]
    display.show(perform(after(1_000, MISSING), rate=50.0), 2 * SECOND_US)
    display.close()
    return out.getvalue()


def test_progress__no_terminal__silent() -> None:
    assert progress_of() == ""


def test_progress__terminal__shows_rate_and_errors() -> None:
    assert "req/s" in progress_of(force_terminal=True)
    assert "50 errors" in progress_of(force_terminal=True)
