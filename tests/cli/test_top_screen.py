"""The screen of `gossamer top` on terminals of several widths."""

import io

import msgspec
import pytest
from rich.console import Console

from gossamer.cli.rates import RateHistory
from gossamer.cli.top_screen import COLUMNS, bars_that_fit, draw
from gossamer.shards.seen.status import ServerStatus

from ..shards.admin.sample import sample_status, sample_worker
from .test_rates import two_looks


def drawn(width: int, status: ServerStatus, hint: str = "") -> str:
    history, output = RateHistory(), io.StringIO()
    history.add(two_looks())
    bars = bars_that_fit(width)
    Console(file=output, width=width).print(
        draw(status, two_looks(), history.lines(bars) if bars else {}, hint, width)
    )
    return output.getvalue()


@pytest.mark.parametrize("width", [106, 120, 200])
def test_screen__every_figure_whole__bars_where_they_fit(width: int) -> None:
    text = drawn(width, sample_status(), "q ends")
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    (head,) = [line for line in lines if line.startswith("worker")]
    assert head.split()[: len(COLUMNS) + 1][:4] == ["worker", "state", "conns", "req/s"]
    first, second, both = lines[lines.index(head) + 1 :][:3]
    assert first.split()[:11] == ["0", "serving", "0", "100", "-", "-", "50", "40", "20", "2.5", "0.0"]
    assert both.split()[:3] == ["all", "0", "100"]
    assert second.split()[10:13] == ["4.0", "7", "1"]
    assert ("█" in first) is (width >= 120)
    assert lines[-1] == "q ends"


def test_screen__trouble_is_told() -> None:
    status = msgspec.structs.replace(
        sample_status(sample_worker(0)), reload_error="[bold]no", rules_trouble="2 are gone", reloading=True
    )
    text = drawn(100, status)
    for part in ("last reload failed: [bold]no", "firewall: 2 are gone", ", reloading"):
        assert part in text


@pytest.mark.parametrize("width", [80, 82, 96, 105])
def test_screen__too_narrow_for_all__what_is_rare_is_left_out(width: int) -> None:
    lines = drawn(width, sample_status()).splitlines()
    assert max(map(len, lines)) <= width
    (head,) = [line for line in lines if line.startswith("worker")]
    for name in ("req/s", "p50 ms", "p99 ms", "cpu %", "drop/s", "queue", "restarts"):
        assert name in head
    assert "rexmit/s" not in head
    assert ("█" in lines[lines.index(head) + 1]) is (width >= 96)
