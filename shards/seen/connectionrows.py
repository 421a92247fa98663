"""Rows of a worker's connections: of kernel sockets by TCP_INFO, of the functional TCP from the value itself.

Owns what of `TcpInfo` stands in a row, for both stacks. A row is made when it is asked for; nobody is woken.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.io.streambase import readable
from gossamer.core.loop.sock.call import Connection
from gossamer.core.loop.sock.option import read_info
from gossamer.core.loop.tcp.call import SeenConnection
from gossamer.core.printable import printable
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.info import CLOSED_NUMBER, STATE_NUMBERS, TIME_WAIT_NUMBER, TcpInfo
from gossamer.core.wire.flow import FLOW_BYTES, Flow, local_address, remote_address
from gossamer.shards.seen.connectiontable import ConnectionRow

Rows = Callable[[], Iterator[ConnectionRow | None]]
"""Each connection that there is when this is called; None for one that is over when its turn comes."""

STATE_NAMES: Final = {
    **{number: state.name.replace("_", "-") for state, number in STATE_NUMBERS.items()},
    TIME_WAIT_NUMBER: "TIME-WAIT",
    CLOSED_NUMBER: "CLOSED",
}


def functional_rows(seen: Iterable[SeenConnection | None]) -> Iterator[ConnectionRow | None]:
    """Those of the functional TCP."""
    for each in seen:
        if each is None:
            yield None
            continue
        ends = readable(remote_address(each.flow)), readable(local_address(each.flow))
        yield row_of(ends, each.announced, each.info, each.info.snd_cwnd_bytes, each.age_us)


def kernel_rows(connections: Iterable[Connection], clock: Clock) -> Iterator[ConnectionRow | None]:
    """Those of kernel sockets."""
    for connection in connections:
        yield None if connection.is_closed else _kernel_row(connection, clock)


def _kernel_row(connection: Connection, clock: Clock) -> ConnectionRow | None:
    try:
        names = connection.sock.getpeername(), connection.sock.getsockname()
    except OSError:
        return None  # It was reset, and its thread has not heard of it yet.
    ends = printable(readable(_address(names[0]))), printable(readable(_address(names[1])))
    began_us = connection.began_us
    age_us = clock() - began_us if began_us < NEVER_US else None
    try:
        info = read_info(connection.sock)
    except OSError:
        return ConnectionRow(*ends, "-", age_us=age_us)  # A Unix socket: it has no such state.
    cwnd = info.tcpi_snd_cwnd
    cwnd_bytes = cwnd * info.tcpi_snd_mss if cwnd is not None and info.tcpi_snd_mss is not None else None
    return row_of(ends, connection.announced, info, cwnd_bytes, age_us)


def _address(name: Any) -> tuple[str, int]:
    """A name as the kernel gives it: of IP, or the path of a Unix socket."""
    return (name[0], name[1]) if isinstance(name, tuple) else (str(name), 0)


def row_of(
    ends: tuple[str, str], announced: Flow, info: TcpInfo, cwnd_bytes: int | None, age_us: int | None
) -> ConnectionRow:
    """One row."""
    since_ms = (info.tcpi_last_data_sent, info.tcpi_last_data_recv, info.tcpi_last_ack_recv)
    known_ms = [each for each in since_ms if each is not None]
    return ConnectionRow(
        *ends,
        STATE_NAMES.get(info.tcpi_state, str(info.tcpi_state)),
        readable(remote_address(announced)) if len(announced) == FLOW_BYTES else "",
        cwnd_bytes,
        info.tcpi_rtt,
        info.tcpi_bytes_acked,
        info.tcpi_bytes_received,
        info.tcpi_notsent_bytes,
        info.tcpi_total_retrans,
        min(known_ms) * MILLISECOND_US if known_ms else None,
        age_us,
    )
