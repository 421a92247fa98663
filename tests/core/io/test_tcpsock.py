"""TCPSockIO: streams, acceptors and connectors of the functional TCP as threads see them."""

import socket
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector, TcpStream
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Host, Network
from gossamer.core.tcp.parameters import TcpParameters

SERVER = ("127.0.0.2", 80)


@pytest.fixture
def network() -> Network:
    return Network(Faults(delay_us=100))


@pytest.fixture
def client(network: Network) -> Host:
    return network.host(socket.inet_aton("127.0.0.1"))


@pytest.fixture
def server(network: Network) -> Host:
    return network.host(socket.inet_aton(SERVER[0]))


def connector(client: Host, ports: range = range(61_000, 61_100)) -> TcpConnector:
    made = TcpConnector(client.loop, ports, b"k" * 32)
    made._local_hosts[SERVER[0]] = "127.0.0.1"
    return made


def test_connector_and_acceptor__a_port_of_the_range_and_both_addresses(
    network: Network, client: Host, server: Host
) -> None:
    acceptor = TcpAcceptor(server.loop, SERVER, TcpParameters())
    assert acceptor.local == SERVER

    async def user() -> TcpStream:
        stream: TcpStream = await connector(client).connect(SERVER)
        await stream.send(b"hello")
        return stream

    async def handler() -> Any:
        stream = await acceptor.accept()
        return stream, await stream.recv()

    there, here = server.spawn(handler()), client.spawn(user())
    network.run(there, here, for_us=SECOND_US)
    stream, data = there.inbox
    assert data == b"hello"
    assert (stream.local, stream.peer) == (here.inbox.peer, here.inbox.local)
    assert here.inbox.local[0] == "127.0.0.1"
    assert here.inbox.local[1] in range(61_000, 61_100)


def test_connector__every_port_in_use__says_so(network: Network, client: Host, server: Host) -> None:
    TcpAcceptor(server.loop, SERVER, TcpParameters())
    source = connector(client, range(61_000, 61_002))

    async def user() -> Any:
        first = await source.connect(SERVER)
        second = await source.connect(SERVER)
        try:
            await source.connect(SERVER)
        except OSError as error:
            return {first.local[1], second.local[1]}, error.errno
        return None

    thread = client.spawn(user())
    network.run(thread, for_us=SECOND_US)
    assert thread.inbox == ({61_000, 61_001}, 99)


def test_connector__local_address__is_what_the_routing_table_says(network: Network, client: Host) -> None:
    network.run(for_us=1)
    call = TcpConnector(client.loop, range(61_000, 61_010), b"k" * 32).connect(("127.0.0.1", 9))
    assert call.local[0] == "127.0.0.1"  # type: ignore[attr-defined]


def test_acceptor__closed__blocked_accept_gets_an_error(network: Network, server: Host) -> None:
    acceptor = TcpAcceptor(server.loop, SERVER, TcpParameters())

    async def blocked() -> Any:
        try:
            await acceptor.accept()
        except ConnectionAbortedError as error:
            return error
        return None

    async def closer() -> None:
        await acceptor.close()

    waiting = server.spawn(blocked())
    network.run(for_us=1_000)
    network.run(server.spawn(closer()), waiting, for_us=SECOND_US)
    assert isinstance(waiting.inbox, ConnectionAbortedError)
    assert TcpAcceptor(server.loop, SERVER, TcpParameters()).local == SERVER, "the address is free again"
