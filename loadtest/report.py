"""How a run of the load generator is shown: progress while it goes on, tables at its end.

Owns the display; it reads a run and its summary and never changes them. Tables grow downwards: on a terminal
of 40 columns every figure is whole.
"""

import json
from collections.abc import Iterator
from typing import IO, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import what_failed
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.summary import shown_interval
from gossamer.loadtest.tally import Tally
from gossamer.loadtest.timeline import Interval

KIB: Final = 1024
BAD_STATUS: Final = 400


class ProgressDisplay:
    """A bar on stderr, drawn when its user calls for it; silent where stderr is no terminal."""

    def __init__(self, console: Console, *, lines: bool = False, sink: IO[bytes] | None = None) -> None:
        self.console = console
        self.sink = sink
        """Where each interval is written as JSON."""
        self.failure = ""
        """Why it could not be."""
        self.lines = lines
        """Whether each interval has a line, in place of the bar."""
        self.bar = Progress(
            TextColumn("{task.fields[rate]:>9,.0f} req/s"),
            BarColumn(),
            TextColumn("{task.fields[done]:,} done, {task.fields[errors]:,} errors"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=lines or not console.is_terminal,
        )
        self.task = self.bar.add_task("load", total=1.0, rate=0.0, done=0, errors=0)

    @classmethod
    def of_none(cls) -> "ProgressDisplay":
        """One that shows nothing: of an engine, whose conductor draws."""
        return cls(Console(stderr=True, force_terminal=False))

    @property
    def is_drawn(self) -> bool:
        """Whether there is a bar."""
        return not self.bar.disable

    def show(self, run: LoadRun, now_us: int) -> None:
        """Draw where the run is, unless others draw it."""
        if run.seat.engines == 1:
            self.draw(run.tally, run.measured.start_us, run.options, now_us)

    def draw(self, tally: Tally, start_us: int, options: LoadOptions, now_us: int) -> None:
        """Draw where a run is that began at `start_us`."""
        if self.bar.disable:
            return
        self.bar.start()
        elapsed_us = max(1, now_us - start_us)
        by_time = elapsed_us / options.duration_us if options.duration_us < NEVER_US else 0.0
        by_count = tally.answered_total / max(1, options.requests_max)
        rate = tally.answered_total * 1e6 / elapsed_us
        completed = min(1.0, max(by_time, by_count))
        done, errors = tally.answered_total, tally.errors_total
        self.bar.update(self.task, completed=completed, rate=rate, done=done, errors=errors)
        self.bar.refresh()

    def tell(self, interval: Interval) -> None:
        """A line on an interval that is over, where lines were asked for."""
        if self.sink is not None:
            self._write(self.sink, json.dumps(shown_interval(interval)) + "\n")
        if self.lines:
            self.console.print(interval_line(interval), markup=False, highlight=False, soft_wrap=True)

    def _write(self, sink: IO[bytes], line: str) -> None:
        """Write a line; a sink that takes none is left, and the run goes on."""
        try:
            sink.write(line.encode())
        except OSError as error:
            self.sink, self.failure = None, what_failed(error)

    def close(self) -> None:
        """Take the bar away."""
        if (
            not self.bar.disable
        ):  # Before rich 14.3, one that was never shown ends with an empty line all the same.
            self.bar.stop()


def interval_line(interval: Interval) -> str:
    """An interval in a line."""
    times = interval.times()
    rate = interval.answered * 1e6 / max(1, interval.end_us - interval.start_us)
    return (
        f"{interval.end_us / 1e6:6.1f} s  {rate:9,.0f} requests/s  p50 {human_us(times.percentile_us(50))}  "
        f"p99 {human_us(times.percentile_us(99))}  errors {interval.errors + interval.unanswered:,}"
    )


def human_us(us: float) -> str:
    """A duration to read, in three digits: more of them no histogram here has."""
    if us < 1_000:
        return f"{us:.0f} us"
    value, unit = (us / 1_000, "ms") if us < 999_500 else (us / 1_000_000, "s")
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f} {unit}"


def human_bytes(count: float) -> str:
    """A size to read."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= KIB
    return f"{count:.2f} TiB"


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """The result of a run as tables, and what makes it doubtful."""
    console.print(totals_table(summary))
    console.print(latency_table(summary))
    for error in summary["errors"]:
        console.print(error_line(error), markup=False, highlight=False)
    for warned in summary["warnings"]:
        console.print(f"[yellow]warning[/yellow] {warned['line']}")
    for judged in summary["thresholds"]:
        console.print(threshold_line(judged), markup=False, highlight=False)
    if summary["ended_by"]:
        console.print(f"[yellow]ended early[/yellow]: {summary['ended_by']} cannot be met any more")
    if summary["interrupted"]:
        console.print("[yellow]interrupted[/yellow] before its end")


def totals_table(summary: dict[str, Any]) -> Table:
    """Requests by outcome, rate, bytes."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    seconds = summary["asked_us"] / 1e6
    table.add_row("URL", f"{summary['url']} (stack {summary['stack']}, {summary['connections']} connections)")
    table.add_row("requests", f"{summary['requests_total']:,} of {summary['due_total']:,} in {seconds:.2f} s")
    table.add_row("rate", f"{summary['requests_per_second']:,.1f} requests/s")
    if unanswered := unanswered_shown(summary):
        table.add_row("unanswered", listed(unanswered))
    received, per_second = summary["received_bytes"], summary["received_bytes_per_second"]
    table.add_row("received", f"{human_bytes(received)}, {human_bytes(per_second)}/s")
    table.add_row("connections", connections_shown(summary))
    for row in faults_rows(summary["faults"]):
        table.add_row(*row)
    table.add_row("responses", listed(summary["statuses"]) or "none")
    table.add_row("errors", listed(errors_shown(summary)) or "none")
    return table


def faults_rows(faults: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """What packets were to meet, and how many of each way did; nothing, where they were to meet none."""
    if faults is None:
        return
    shares = {name: f"{name} {faults[name]:g}" for name in ("loss", "reorder", "duplicate") if faults[name]}
    delay = f"delay {human_us(faults['delay_us'])}" if faults["delay_us"] else ""
    yield "faults", ", ".join(each for each in (*shares.values(), delay, f"seed {faults['seed']}") if each)
    for way in ("sent", "received"):
        counts = {name.removesuffix("_total"): count for name, count in faults[way].items()}
        yield f"  {way}", listed(counts) or "no packet"


def listed(counts: dict[str, int]) -> str:
    """Names and counts in a line."""
    return "  ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def unanswered_shown(summary: dict[str, Any]) -> dict[str, int]:
    """What became of the requests that have no answer."""
    names = {"failed": "failed_total", "timed out": "timed_out_total", "in flight": "in_flight_total"}
    never = {f"never sent ({why})": count for why, count in summary["never_sent"].items()}
    found = {name: int(summary[key]) for name, key in names.items()} | never
    return {name: count for name, count in found.items() if count}


def connections_shown(summary: dict[str, Any]) -> str:
    """How many were opened, and opened again."""
    opened = f"{summary['connections_total']:,} opened"
    again = f", {summary['reopened_total']:,} again" if summary["reopened_total"] else ""
    refused = "".join(f", {each['kind']} {each['count']:,}" for each in summary["connections_refused"])
    return opened + again + refused


def errors_shown(summary: dict[str, Any]) -> dict[str, int]:
    """All that `errors_total` counts, by kind: what went wrong on the way, and answers of 4xx and above."""
    shown: dict[str, int] = {}
    for error in summary["errors"]:
        shown[error["kind"]] = shown.get(error["kind"], 0) + error["count"]
    expected = summary["expected_statuses"]
    bad = {
        code: count - expected.get(code, 0)
        for code, count in summary["statuses"].items()
        if int(code) >= BAD_STATUS
    }
    return shown | bad


def error_line(error: dict[str, Any]) -> str:
    """One kind of error: when it came, and an example."""
    first, last = error["first_us"] / 1e6, error["last_us"] / 1e6
    when = f"{first:.1f} s" if round(first, 1) == round(last, 1) else f"{first:.1f} to {last:.1f} s"
    return f"  {error['kind']}, {error['phase']}: {error['count']:,} at {when}; {error['example']}"


def threshold_line(judged: dict[str, Any]) -> str:
    """A threshold, and what came of it."""
    metric = judged["text"]
    value = judged["value"]
    if metric.startswith("rate"):
        shown = f"{value:,.1f}"
    elif metric.startswith("errors"):
        shown = f"{value:.3%}" if "%" in metric else f"{value:,}"
    else:
        shown = human_us(value)
    least = ">= " if judged["at_least"] else ""
    return f"  {'met   ' if judged['met'] else 'MISSED'} {metric}: {least}{shown}"


def latency_table(summary: dict[str, Any]) -> Table:
    """Percentiles of responses, of what the server did of them, and of connects: a row each."""
    table = Table(box=None, pad_edge=False)
    columns = {"response": "response_us", "service": "service_us", "connect": "connect_us"}
    table.add_column("time", no_wrap=True)
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for name in summary["response_us"]:
        if name != "at_least":
            table.add_row(name, *(shown_us(summary[key], name) for key in columns.values()))
    return table


def shown_us(distribution: dict[str, Any], name: str) -> str:
    """A figure, and whether it is the least value that it can have."""
    return (">= " if name in distribution["at_least"] else "") + human_us(distribution[name])
