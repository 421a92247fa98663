"""The two stacks of a client: kernel sockets, and the functional TCP with a slice of local ports of its own.

Owns what the functional TCP needs for active opens - a queue, raw sockets, the firewall slice - and that
all of it is given back. The connections themselves are the business of `core.io`.
"""

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final

import msgspec
from gossamer.core.clock import monotonic_us
from gossamer.core.entropy import system_entropy
from gossamer.core.io.sock import SockConnector
from gossamer.core.io.stream import Connector
from gossamer.core.io.tcpsock import TcpConnector
from gossamer.core.loop.sock import SockLoop
from gossamer.core.loop.tcp import TcpLoop
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.core.threads.eventloop import EventLoop
from gossamer.ffi.nfqueue_netlink import NetlinkSource
from gossamer.ffi.rawout import RawSink, open_raw_sockets
from gossamer.shards import firewall
from gossamer.shards.config import Config
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.machine import read_facts
from gossamer.shards.opening import open_queue
from gossamer.shards.plan import MachineFacts, PortRange, choose_port_range, choose_queues
from gossamer.shards.procfs import own_identity
from gossamer.shards.rules import Target

PORTS_PER_CONNECTION: Final = 4
"""Ports of closed connections rest in TIME-WAIT, so a connection in use needs more than one."""
PORTS_MIN: Final = 1_024
SECRET_BYTES: Final = 16


class ClientStack(msgspec.Struct, frozen=True):
    """A loop for the scheduler, and what opens connections on it."""

    name: str
    loop: EventLoop
    connector: Connector
    connections_max: int
    warnings: tuple[str, ...] = ()


@contextlib.contextmanager
def client_stack(name: str, connections: int) -> Iterator[ClientStack]:
    """The stack of that name, given back at the end. Raises: CannotStartError."""
    if name == "kernel":
        yield ClientStack(name, SockLoop(), SockConnector(), connections)
    else:
        with nfqueue_stack(connections) as stack:
            yield stack


def choose_ports(facts: MachineFacts, config: Config, connections: int) -> PortRange:
    """Free local ports for so many connections. Raises: CannotStartError."""
    settings = config.nfqueue
    first, last = settings.active_port_first, settings.active_port_last
    wanted = min(max(PORTS_MIN, PORTS_PER_CONNECTION * connections), last - first + 1)
    if connections > wanted:
        raise CannotStartError(
            f"--connections {connections}: --stack nfqueue allows {wanted}, one for each local port"
        )
    return choose_port_range(first, last, facts.port_ranges_taken, wanted)


@contextlib.contextmanager
def nfqueue_stack(connections: int) -> Iterator[ClientStack]:
    """The functional TCP on a queue and a slice of local ports that are free. Raises: CannotStartError."""
    firewall.remove_dead_rules()
    facts, config = read_facts(), Config()
    if facts.nfqueue_obstacle:
        raise CannotStartError(f"--stack nfqueue: {facts.nfqueue_obstacle}")
    (queue,) = choose_queues(config, facts, 1)
    ports = choose_ports(facts, config, connections)
    owner = own_identity()
    with contextlib.ExitStack() as opened:
        netlink = opened.enter_context(open_queue(queue, config.nfqueue.queue_length_max))
        raw_ipv4, raw_ipv6 = open_raw_sockets()
        opened.enter_context(raw_ipv4)
        if raw_ipv6 is not None:
            opened.enter_context(raw_ipv6)
        sink = RawSink(raw_ipv4.fileno(), raw_ipv6.fileno() if raw_ipv6 is not None else -1)
        opened.callback(firewall.remove_rules_of, owner)
        target = Target(ports.first, ports.last, (queue,))
        installed = firewall.install_rules(owner, target, secrets.randbits(32))
        loop = TcpLoop(
            NetlinkSource(netlink.fileno()), sink, DEFAULT_PARAMETERS, monotonic_us, system_entropy
        )
        local_ports = range(ports.first, ports.last + 1)
        connector = TcpConnector(loop, local_ports, system_entropy(SECRET_BYTES))
        yield ClientStack("nfqueue", loop, connector, len(local_ports), installed.warnings)
