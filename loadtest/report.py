"""How a run of the load generator is shown: progress while it goes on, a table at its end.

Owns the display; it reads a tally and never changes it.
"""

from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gossamer.loadtest.pace import Shape
from gossamer.loadtest.tally import Tally

KIB: Final = 1024


class ProgressDisplay:
    """A bar on stderr, drawn when its user calls for it; silent where stderr is no terminal."""

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            TextColumn("{task.fields[rate]:>9,.0f} req/s"),
            BarColumn(),
            TextColumn("{task.fields[done]:,} done, {task.fields[errors]:,} errors"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("load", total=1.0, rate=0.0, done=0, errors=0)

    def show(self, shape: Shape, tally: Tally, now_us: int) -> None:
        """Draw where the run is."""
        self.bar.start()
        elapsed_us = max(1, now_us - shape.start_us)
        by_time = elapsed_us / max(1, shape.end_us - shape.start_us)
        by_count = tally.requests_total / shape.requests_max
        rate = tally.requests_total * 1e6 / elapsed_us
        completed = min(1.0, max(by_time, by_count))
        done, errors = tally.requests_total, tally.errors_total
        self.bar.update(self.task, completed=completed, rate=rate, done=done, errors=errors)
        self.bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        if (
            not self.bar.disable
        ):  # Before rich 14.3, one that was never shown ends with an empty line all the same.
            self.bar.stop()


def human_us(us: float) -> str:
    """A duration to read."""
    if us < 1_000:
        return f"{us:.0f} us"
    if us < 1_000_000:
        return f"{us / 1_000:.2f} ms"
    return f"{us / 1_000_000:.2f} s"


def human_bytes(count: float) -> str:
    """A size to read."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= KIB
    return f"{count:.2f} TiB"


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """The result of a run as two tables."""
    console.print(totals_table(summary))
    console.print(latency_table(summary))


def totals_table(summary: dict[str, Any]) -> Table:
    """Requests, rate, bytes, errors."""
    table = Table(show_header=False, box=None, pad_edge=False)
    seconds = summary["elapsed_us"] / 1e6
    table.add_row("URL", f"{summary['url']} (stack {summary['stack']}, {summary['connections']} connections)")
    table.add_row("requests", f"{summary['requests_total']:,} in {seconds:.2f} s")
    table.add_row("rate", f"{summary['requests_per_second']:,.1f} requests/s")
    received, per_second = summary["received_bytes"], summary["received_bytes_per_second"]
    table.add_row("received", f"{human_bytes(received)}, {human_bytes(per_second)}/s")
    table.add_row("connections", f"{summary['connections_total']:,} opened")
    table.add_row("responses", "  ".join(f"{k} {v:,}" for k, v in summary["statuses"].items()) or "none")
    table.add_row("errors", "  ".join(f"{k} {v:,}" for k, v in errors_shown(summary).items()) or "none")
    if summary["unfinished_total"]:
        table.add_row("unfinished", f"{summary['unfinished_total']:,} had no answer when the time was over")
    return table


def errors_shown(summary: dict[str, Any]) -> dict[str, int]:
    """All that `errors_total` counts, by kind: what went wrong on the way, and answers of 4xx and 5xx."""
    refused = {kind: count for kind, count in summary["statuses"].items() if kind in ("4xx", "5xx")}
    return {**summary["errors"], **refused}


def latency_table(summary: dict[str, Any]) -> Table:
    """Percentiles of requests and of connects."""
    table = Table(box=None, pad_edge=False)
    table.add_column("latency")
    for name in summary["latency_us"]:
        table.add_column(name, justify="right")
    for title, key in (("request", "latency_us"), ("connect", "connect_us")):
        table.add_row(title, *(human_us(value) for value in summary[key].values()))
    return table
