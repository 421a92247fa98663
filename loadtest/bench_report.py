"""The result of the benchmark as tables that say how each figure was made.

Owns the display; computes nothing.
"""

from typing import Any, Final

from rich.console import Console
from rich.table import Table

CAPTION: Final = (
    "medians of {rounds} interleaved rounds of {seconds} s; server CPU: time of the worker processes "
    "(/proc/PID) / requests that wrk counted; machine CPU: all of /proc/stat, client included"
)
COLUMNS: Final = (
    ("server CPU us/request", "cpu_us_per_request", "{:,.2f}"),
    ("machine CPU us/request", "machine_cpu_us_per_request", "{:,.2f}"),
    ("of it softirq", "softirq_us_per_request", "{:,.2f}"),
    ("requests/s", "requests_per_second", "{:,.0f}"),
    ("errors", "errors_total", "{:,}"),
)


def show(result: dict[str, Any], console: Console) -> None:
    """Print all tables."""
    for what, servers in result["http"].items():
        console.print(http_table(what, servers, result["size"]))
    console.print(targets_table(result["targets"]))
    for note in result["notes"]:
        console.print(note)


def http_table(what: str, servers: dict[str, dict[str, float]], size: dict[str, int]) -> Table:
    """One row a server."""
    table = Table(
        title=f"1 KiB file, 64 connections, {what}",
        caption=CAPTION.format(**size),
        caption_justify="left",
    )
    table.add_column("server")
    for title, _, _ in COLUMNS:
        table.add_column(title, justify="right")
    for name, figures in servers.items():
        table.add_row(name, *(form.format(figures[key]) for _, key, form in COLUMNS))
    return table


def targets_table(targets: list[dict[str, Any]]) -> Table:
    """One row a target: what was found, what is allowed, how it was made."""
    table = Table(title="Targets")
    for title in ("what", "found", "at most", "", "made by"):
        table.add_column(title, justify="right" if title in ("found", "at most") else "left")
    for target in targets:
        verdict = "[green]met[/green]" if target["is_met"] else "[red]missed[/red]"
        found, limit = (f"{target[key]:,g} {target['unit']}" for key in ("figure", "limit"))
        table.add_row(target["name"], found, limit, verdict, target["made_by"])
    return table
