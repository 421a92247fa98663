"""The status of a server as people read it: lines, and a table of its workers that fits the terminal."""

from typing import Final, Literal

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from gossamer.shards.seen.status import ServerStatus, WorkerStatus, describe_held

COLUMNS = (
    "worker", "pid", "state", "queues", "cpu %", "memory", "connections", "threads", "tasks", "turns",
    "accepted", "requests", "disk",
    "packets in", "packets out", "retransmits", "errors", "drops", "restarts", "heartbeat",
)  # fmt: skip

WIDTH_MIN: Final = 160
"""Characters of a line where the output is no terminal."""
WIDTH_MAX: Final = 10_000

PARTS: Final = (
    COLUMNS[1:6] + COLUMNS[-2:],
    COLUMNS[6:10],
    COLUMNS[10:13],
    COLUMNS[13:17],
    COLUMNS[17:18],
)
"""The columns beside the worker's number where the table is too wide for the terminal: each part fits 80."""


def wide_console() -> Console:
    """A console on standard output in which every column of a table fits, or of a part of it."""
    console = Console(soft_wrap=True, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_MIN)
    return console


def _cells(worker: WorkerStatus) -> list[str]:
    drops = ", ".join(f"{reason} {count}" for reason, count in worker.drops.items()) or "-"
    served = (
        worker.connections, worker.threads, worker.tasks, worker.totals["turns_total"],
        worker.accepted_total, worker.requests_total,
    )  # fmt: skip
    packets = (worker.packets_in_total, worker.packets_out_total, worker.retransmits_total)
    return [
        str(worker.id),
        str(worker.pid) if worker.pid else "-",
        worker.state,
        str(len(worker.queues)) if worker.queues else "-",
        f"{worker.cpu_percent:.1f}",
        f"{worker.rss_bytes / (1 << 20):.1f} MiB",
        *(f"{number:,}" for number in served),
        worker.disk,
        *(f"{number:,}" for number in packets),
        f"{worker.thread_errors_total:,}",
        drops,
        str(worker.restarts),
        f"{worker.heartbeat_age_us / 1000:.0f} ms ago",
    ]


def print_status(status: ServerStatus, console: Console) -> None:
    """The status as people read it."""
    console.print(f"{status.url}  {status.target}  on {status.stack} ({status.reason})", markup=False)
    console.print(f"the TCP itself is {status.core}", markup=False)
    if status.output:
        console.print(f"what has much to send leaves as {status.output}", markup=False)
    up = f"up {status.uptime_us / 1e6:.0f} s, supervisor {status.pid}, generation {status.generation}"
    console.print(up + (", reloading" if status.reloading else ""))
    if status.keeper is not None:
        keeper = status.keeper
        console.print(f"keeper {keeper.pid}: holds {keeper.holds} descriptors {keeper.does}")
    else:
        console.print("no keeper: workers end with a supervisor that is killed, and there is no upgrade")
    for line in _response_lines(status.workers):
        console.print(line)
    if status.reload_error:
        console.print(f"last reload failed: {status.reload_error}", style="red", markup=False)
    if status.rules_restored_total:
        console.print(f"firewall: {status.rules_restored_total} rules were removed by somebody, and restored")
    if status.rules_trouble:
        console.print(f"firewall: {status.rules_trouble}", style="red", markup=False)
    for line in dict.fromkeys(describe_held(each.held) for each in status.workers if each.held):
        console.print(line, markup=False)
    is_whole = _width_needed(status.workers, console) <= console.width
    for part in [COLUMNS[1:]] if is_whole else PARTS:
        console.print(_table(status.workers, part))


def _response_lines(workers: list[WorkerStatus]) -> list[str]:
    """How long each worker's responses took, where there were any."""
    return [
        f"worker {worker.id}: half of {times.count:,} responses took up to {milliseconds(times.p50_us)} ms, "
        f"99 % {milliseconds(times.p99_us)} ms, 99.9 % {milliseconds(times.p999_us)} ms"
        for worker in workers
        if (times := worker.response_times).count
    ]


def milliseconds(us: int) -> str:
    """A time as it is read: with as many digits as it has of worth."""
    return f"{us / 1000:.3g}" if us < 1_000_000 else f"{us / 1000:,.0f}"


def _width_needed(workers: list[WorkerStatus], console: Console) -> int:
    """At what width one table of all columns cuts nothing; drops alone may go on in further lines."""
    options = console.options.update(max_width=WIDTH_MAX)
    unbroken = tuple(name for name in COLUMNS[1:] if name != "drops")
    drops = Measurement.get(console, options, _table(workers, ("drops",))).minimum
    return Measurement.get(console, options, _table(workers, unbroken)).maximum + drops


def _table(workers: list[WorkerStatus], names: tuple[str, ...]) -> Table:
    """These columns of all workers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = (COLUMNS[0], *names)
    for name in shown:
        justify: Literal["left", "right"] = "left" if name in ("state", "drops") else "right"
        table.add_column(name, justify=justify, no_wrap=name != "drops")
    for worker in workers:
        cells = dict(zip(COLUMNS, _cells(worker), strict=True))
        table.add_row(*(cells[name] for name in shown))
    return table
