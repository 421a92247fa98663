"""Whole hosts on a wire that breaks packets, loses ACKs, or carries only short ones."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.sim.link import PLAIN, Faults, Line
from gossamer.core.sim.loss import AckLoss, Blackout
from gossamer.core.sim.network import Network
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.core.wire.drop import DropReason

SERVER = ("10.0.0.2", 80)
OCTETS = bytes(range(256)) * 1_000


def transfer(faults: Faults, line: Line = PLAIN) -> tuple[Network, bytes]:
    """OCTETS from a client to a server: the network after it, and what arrived."""
    network, received = Network(faults, seed=5, line=line), bytearray()
    client, server = (network.host(bytes((10, 0, 0, number))) for number in (1, 2))
    acceptor = TcpAcceptor(server.loop, SERVER, DEFAULT_PARAMETERS)

    async def serves() -> None:
        stream = await acceptor.accept()
        while data := await stream.recv():
            received.extend(data)

    async def sends() -> None:
        stream: Any = await TcpConnect(("10.0.0.1", 50_001), SERVER, NEVER_US, TcpStream)
        await stream.send(OCTETS)
        await stream.shutdown()

    network.run(server.spawn(serves()), client.spawn(sends()), for_us=200 * SECOND_US)
    return network, bytes(received)


def dropped_packets(network: Network) -> int:
    """Packets that the parser refused, on all hosts."""
    names = [f"drop_{reason.name.lower()}" for reason in DropReason]
    return sum(host.statistics[name] for host in network.hosts.values() for name in names)


def test_wrong_bits__are_counted_drops__and_no_wrong_octet_arrives() -> None:
    network, received = transfer(Faults(corrupt=0.05))
    assert received == OCTETS
    assert network.link.counts.corrupted > 5
    assert dropped_packets(network) == network.link.counts.corrupted


@pytest.mark.parametrize(
    "models",
    [(AckLoss(0.5),), (Blackout(2 * SECOND_US, 4 * SECOND_US),)],
    ids=["half of the ACKs", "blackout"],
)
def test_models__on_packets__all_arrives(models: tuple[Any, ...]) -> None:
    network, received = transfer(Faults(models=models, delay_us=30_000), Line(rate_bps=1_000_000))
    assert received == OCTETS
    assert network.link.counts.lost > 0


def test_packets_that_are_too_big__are_answered_and_never_pass() -> None:
    network, _ = transfer(Faults(), Line(mtu_changes=((0, 1_300),)))
    assert network.link.counts.too_big > 0
    assert dropped_packets(network) == 0, "a router's answer is well-formed"
