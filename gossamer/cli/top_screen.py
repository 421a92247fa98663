"""The screen of `gossamer top`: who serves, and a line each worker. Draws alone."""

from collections.abc import Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gossamer.cli.rates import ServerRates, WorkerRates
from gossamer.cli.status_table import milliseconds
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.seen.status import ServerStatus

COLUMNS: Final = (
    "worker", "state", "conns", "req/s", "p50 ms", "p99 ms", "cpu %", "MiB", "pkt/s", "rexmit/s", "drop/s",
    "queue", "restarts",
)  # fmt: skip
RARE: Final = frozenset({"pkt/s", "rexmit/s", "MiB"})
"""What a narrow terminal does without: `--json` and a wider one have it."""
BARS_MAX: Final = 30
TABLE_WIDTH: Final = 106
"""What the columns of figures take; sparklines have what is left of a line."""
NARROW_WIDTH: Final = 82
"""The same without those that are rare."""
BARS_MIN: Final = 8


def columns_that_fit(width: int) -> tuple[str, ...]:
    """The columns that a terminal so wide has room for."""
    return COLUMNS if width >= TABLE_WIDTH else tuple(name for name in COLUMNS if name not in RARE)


def bars_that_fit(width: int) -> int:
    """How many bars a sparkline has on a terminal that wide; 0 where none fits."""
    left = min(BARS_MAX, width - (TABLE_WIDTH if width >= TABLE_WIDTH else NARROW_WIDTH))
    return left if left >= BARS_MIN else 0


def _head(status: ServerStatus) -> list[Text]:
    up = f"up {status.uptime_us // 1_000_000} s, generation {status.generation}"
    lines = [
        Text.assemble((status.url, "bold"), f"  {status.target}  on {status.stack}"),
        Text(f"{up}{', reloading' if status.reloading else ''}"),
    ]
    if status.reload_error:
        lines.append(Text(f"last reload failed: {status.reload_error}", style="red"))
    if status.rules_trouble:
        lines.append(Text(f"firewall: {status.rules_trouble}", style="red"))
    return lines


def _cells(worker: WorkerRates, columns: tuple[str, ...]) -> list[str]:
    times = worker.response_times
    cells = [
        "all" if worker.id is None else str(worker.id),
        worker.state,
        f"{worker.connections:,}",
        f"{worker.requests_per_second:,.0f}",
        *((milliseconds(times.p50_us), milliseconds(times.p99_us)) if times.count else ("-", "-")),
        f"{worker.cpu_percent:.0f}",
        f"{worker.rss_bytes / (1 << 20):.0f}",
        f"{worker.packets_per_second:,.0f}",
        f"{worker.retransmits_per_second:,.1f}",
        f"{worker.drops_per_second:,.1f}",
        f"{worker.queue_depth:,}",
        str(worker.restarts),
    ]
    return [cell for name, cell in zip(COLUMNS, cells, strict=True) if name in columns]


def draw(
    status: ServerStatus, rates: ServerRates, lines: Mapping[int | None, str], hint: str, width: int
) -> RenderableType:
    """The whole screen of a terminal so wide; `lines` are the sparklines, and none of them where none
    fits."""
    columns = columns_that_fit(width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    if lines:
        table.add_column("requests", no_wrap=True)
    serving = WorkerState.SERVING.name.lower()
    for each in rates.workers:
        bars = [lines.get(each.id, "")] if lines else []
        table.add_row(*_cells(each, columns), *bars, style="" if each.state == serving else "yellow")
    if len(rates.workers) > 1:
        table.add_row(*_cells(rates.total, columns), *([lines.get(None, "")] if lines else []), style="bold")
    return Group(*_head(status), Text(), table, *([Text(hint, style="dim")] if hint else []))
