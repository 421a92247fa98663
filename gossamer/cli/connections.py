"""gossamer connections: a table of the connections of a running server, asked of its workers at this moment.

Owns the socket over which the workers tell, and how the table is drawn.
"""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import click
import msgspec

from gossamer.cli.option_lists import json_option
from gossamer.cli.peers import checked_peer
from gossamer.cli.status import fetch_status, run_dir_options
from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL, find_run_dir
from gossamer.shards.seen.connectiontable import (
    PAGE_BYTES_MAX,
    ROWS_DEFAULT,
    ROWS_MAX,
    ConnectionPage,
    ConnectionRow,
    ConnectionsWanted,
    ConnectionTable,
    Order,
    together,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

PATIENCE_SECONDS: Final = 30.0
COLUMNS: Final = (
    "worker", "peer", "state", "cwnd", "srtt ms", "sent", "received", "unsent", "rexmits", "idle", "age",
)  # fmt: skip


def _pages(channel: socket.socket, seconds: float) -> Iterator[ConnectionPage]:
    """What the workers tell, until all have told it or the time is over."""
    decode = msgspec.msgpack.Decoder(ConnectionPage).decode
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        channel.settimeout(left)
        try:
            message = channel.recv(PAGE_BYTES_MAX)
        except TimeoutError:
            return
        if not message:
            return
        yield decode(message)


def fetch_connections(directory: Path, worker: int | None, wanted: ConnectionsWanted) -> ConnectionTable:
    """Ask a running server. Raises: CommandError."""
    request = ControlRequest("connections", worker, wanted.peer, order=wanted.order, rows_max=wanted.rows_max)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            workers = ask(directory / CONTROL, request, theirs.fileno()).result
        return together(_pages(ours, PATIENCE_SECONDS), wanted, workers)


def short_octets(count: int | None) -> str:
    """A number of octets in a few characters."""
    if count is None:
        return "-"
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def short_time(us: int | None) -> str:
    """A time in a few characters."""
    if us is None:
        return "-"
    seconds = us / 1_000_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _cells(row: ConnectionRow) -> list[str]:
    peer = f"{row.peer} for {row.client}" if row.client else row.peer
    srtt = "-" if row.srtt_us is None else f"{row.srtt_us / 1000:.1f}"
    again = "-" if row.retransmits is None else f"{row.retransmits:,}"
    octets = (row.cwnd_bytes, row.bytes_out, row.bytes_in, row.unsent_bytes)
    cwnd, sent, received, unsent = map(short_octets, octets)
    times = short_time(row.idle_us), short_time(row.age_us)
    return [str(row.worker), peer, row.state, cwnd, srtt, sent, received, unsent, again, *times]


def drawn(rows: list[ConnectionRow]) -> "RenderableType":
    """The rows as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        justify: Literal["left", "right"] = "left" if name in ("peer", "state") else "right"
        table.add_column(name, justify=justify, no_wrap=name != "peer", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, _cells(row)))
    return table


def _show(found: ConnectionTable) -> None:
    from gossamer.cli.status_table import wide_console

    console = wide_console()
    if found.rows:
        console.print(drawn(found.rows))
    console.print(told_of(found), markup=False)


def told_of(found: ConnectionTable) -> str:
    """What stands beneath a table: how many there are, and what is missing."""
    parts = [f"{found.total:,} connections" if found.total != 1 else "1 connection"]
    if found.left_out:
        parts.append(f"{found.left_out:,} of them left out (--rows)")
    if found.silent_workers:
        parts.append(f"no answer of workers {', '.join(map(str, found.silent_workers))}")
    elif not found.is_whole:
        parts.append("a worker has more than it looks at")
    return "; ".join(parts)


@click.command(epilog="Example: gossamer connections --order age --rows 10")
@run_dir_options
@click.option("--worker", type=click.IntRange(min=0), help="Of that worker alone.  [all]")
@click.option("--peer", default="", help="With that address alone, or announced by a proxy.  [any]")
@click.option(
    "--order", type=click.Choice(get_args(Order)), default="bytes", show_default=True,
    help="First those with the most octets, the oldest, or those idle for longest.",
)  # fmt: skip
@click.option(
    "--rows", type=click.IntRange(1, ROWS_MAX), default=ROWS_DEFAULT, show_default=True, help="At most."
)
@json_option
def connections(
    run_dir: str | None,
    port: int | None,
    worker: int | None,
    peer: str,
    order: Order,
    rows: int,
    as_json: bool,
) -> None:
    """Show the connections of a running server: state, cwnd, srtt, octets, age."""
    wanted = ConnectionsWanted(order, rows, checked_peer(peer))
    directory = find_run_dir(run_dir, port)
    fetch_status(directory)
    found = fetch_connections(directory, worker, wanted)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _show(found)
