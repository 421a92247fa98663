"""The two stacks of a client: kernel sockets, and the functional TCP with a slice of local ports of its own.

Owns how many local ports a run takes, and that raw sockets, queue and ports are given back.
`shards.opening.active_opens` chooses what is free; `core.io` makes the connections themselves.
"""

import contextlib
from collections.abc import Awaitable, Iterator
from itertools import cycle
from typing import Final, Protocol

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US, monotonic_us
from gossamer.core.entropy import system_entropy
from gossamer.core.io.stream import Stream
from gossamer.core.io.tcpsock import TcpConnector
from gossamer.core.io.unix import connect_unix
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.cancel import fail_after
from gossamer.core.threads.eventloop import EventLoop
from gossamer.core.wire.flow import Address
from gossamer.ffi.nfqueue_netlink import NetlinkSource
from gossamer.ffi.packets import PacketSink, PacketSource
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest.callerstream import CallerConnector
from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.faulty import FaultCounts, FaultyPath
from gossamer.shards.configuration.config import NfqueueConfig
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.opening.active_opens import active_opens
from gossamer.shards.rundir.bootsecret import boot_secret

PORTS_PER_CONNECTION: Final = 4
"""Ports of closed connections rest in TIME-WAIT, so a connection in use needs more than one."""
PORTS_MIN: Final = 1_024
SECRET_BYTES: Final = 16


class Opener(Protocol):
    """What a run opens connections by: a `Connector`, or what chooses among several."""

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS, /
    ) -> Awaitable[Stream]:
        """Raises: OSError."""


class ClientStack(msgspec.Struct, frozen=True):
    """A loop for the scheduler, and what opens connections on it."""

    name: str
    loop: EventLoop
    connector: Opener
    connections_max: int
    ports: range = range(0)
    """The local ports that are its own: to open from, or to listen on; the kernel's has none."""
    warnings: tuple[str, ...] = ()
    faults: FaultCounts | None = None
    """How many of its packets met faults, where there are any."""


class PathFaults(msgspec.Struct, frozen=True):
    """What packets meet on their way."""

    faults: LinkFaults
    seed: int


class SourcesConnector:
    """Opens kernel sockets from several local addresses in turn."""

    def __init__(self, sources: tuple[str, ...]) -> None:
        self._turn = cycle([CallerConnector(source) for source in sources])

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS, /
    ) -> Awaitable[Stream]:
        """Raises: OSError."""
        return next(self._turn).connect(address, timeout_us, options)


class UnixConnector:
    """Connects to the path of a Unix socket, which is the address."""

    async def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS, /
    ) -> Stream:
        """Raises: OSError."""
        with fail_after(timeout_us / SECOND_US):
            stream = await connect_unix(address[0])
        if options is not NO_OPTIONS:
            await stream.set_options(options)
        return stream


def kernel_connector(sources: tuple[str, ...] = (), unix_socket: str = "") -> Opener:
    """What opens the kernel's sockets."""
    if unix_socket:
        return UnixConnector()
    return SourcesConnector(sources) if sources else CallerConnector()


@contextlib.contextmanager
def client_stack(
    name: str,
    connections: int,
    sources: tuple[str, ...] = (),
    unix_socket: str = "",
    faults: PathFaults | None = None,
) -> Iterator[ClientStack]:
    """The stack of that name, given back at the end. Raises: CannotStartError."""
    if name == "kernel":
        yield ClientStack(name, SockLoop(), kernel_connector(sources, unix_socket), connections)
    else:
        with nfqueue_stack(connections, faults=faults) as stack:
            yield stack


def ports_wanted(settings: NfqueueConfig, connections: int) -> int:
    """How many local ports so many connections take. Raises: CannotStartError."""
    there_are = settings.active_port_last - settings.active_port_first + 1
    if connections > there_are:
        raise CannotStartError(
            f"--connections: found {connections}; allowed with --stack nfqueue: {there_are}, "
            "one for each local port"
        )
    return min(max(PORTS_MIN, PORTS_PER_CONNECTION * connections), there_are)


@contextlib.contextmanager
def nfqueue_stack(
    connections: int, parameters: TcpParameters = DEFAULT_PARAMETERS, faults: PathFaults | None = None
) -> Iterator[ClientStack]:
    """The functional TCP on a queue and a slice of local ports that are free. Raises: CannotStartError."""
    settings = NfqueueConfig()
    with contextlib.ExitStack() as opened:
        opens = opened.enter_context(active_opens(ports_wanted(settings, connections), settings))
        try:
            raw_ipv4, raw_ipv6 = open_raw_sockets()
        except OSError as error:
            raise CannotStartError(f"no raw socket: {error.strerror}") from error
        opened.enter_context(raw_ipv4)
        if raw_ipv6 is not None:
            opened.enter_context(raw_ipv6)
        raw = RawSink(raw_ipv4.fileno(), raw_ipv6.fileno() if raw_ipv6 is not None else -1, parameters.ttl)
        source, sink, counts = with_faults(NetlinkSource(opens.queue.fileno()), raw, faults)
        loop = TcpLoop(source, sink, parameters, monotonic_us, system_entropy, boot_secret=boot_secret())
        connector = TcpConnector(loop, opens.ports, system_entropy(SECRET_BYTES))
        yield ClientStack("nfqueue", loop, connector, len(opens.ports), opens.ports, opens.warnings, counts)


def with_faults(
    source: PacketSource, sink: PacketSink, faults: PathFaults | None
) -> tuple[PacketSource, PacketSink, FaultCounts | None]:
    """Source and sink of a loop, with faults between them and the device where there are any."""
    if faults is None:
        return source, sink, None
    path = FaultyPath(source, sink, faults.faults, faults.seed)
    return path.source, path.sink, path.counts
