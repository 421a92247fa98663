"""Path MTUs: the table, and a router on the way that reports its MTU to threads on virtual hosts."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.loop.tcp.paths import PATHS_MAX, Paths
from gossamer.core.sim.device import MemorySink
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.constants import PATH_RAISE_US
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.icmp import V4_FRAGMENTATION_NEEDED_CODE, V4_UNREACHABLE
from gossamer.core.wire.ipv4 import build_ipv4
from gossamer.ffi.packets import TooLong

SERVER = ("10.0.0.2", 80)
CLIENT = bytes((10, 0, 0, 1))
ROUTER = bytes((10, 0, 0, 254))
DONT_FRAGMENT = 0x40


def flow_to(number: int) -> bytes:
    return pack_flow(("10.0.0.1", 1), (f"10.1.{number >> 8}.{number & 255}", 80))


def test_paths__learned__until_ten_minutes_have_passed() -> None:
    paths = Paths()
    paths.learn(flow_to(1), 1_400, 0)
    paths.learn(flow_to(1), 1_300, 5)
    assert (paths.find(flow_to(1), 5), paths.find(flow_to(2), 5)) == (1_300, 0)
    assert paths.find(flow_to(1), 5 + PATH_RAISE_US) == 0
    assert len(paths) == 0


def test_paths__more_than_the_bound__the_one_not_used_for_longest_goes() -> None:
    paths = Paths()
    for number in range(PATHS_MAX):
        paths.learn(flow_to(number), 1_400, 0)
    assert paths.find(flow_to(0), 1) == 1_400
    paths.learn(flow_to(PATHS_MAX), 1_400, 0)
    assert len(paths) == PATHS_MAX
    assert (paths.find(flow_to(0), 1), paths.find(flow_to(1), 1)) == (1_400, 0)


class Narrow(Network):
    """A network whose router reports packets that are too big to their sender."""

    def __init__(self, mtu: int, reports: bool = True) -> None:
        super().__init__(Faults(delay_us=1_000))
        self.mtu = mtu
        self.reports = reports
        self.dropped = 0

    def carry(self, packet: bytes) -> None:
        if len(packet) <= self.mtu:
            return super().carry(packet)
        assert packet[6] & DONT_FRAGMENT, "without it a router would fragment (RFC 1191 3)"
        self.dropped += 1
        if self.reports:
            head = struct.pack("!BBHHH", V4_UNREACHABLE, V4_FRAGMENTATION_NEEDED_CODE, 0, 0, self.mtu)
            message = head + packet[:28]
            message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
            report = bytearray(build_ipv4(ROUTER, packet[12:16], message))
            report[9], report[10:12] = 1, b"\0\0"
            report[10:12] = struct.pack("!H", checksum(bytes(report[:20])))
            super().carry(bytes(report))
        return None


class OwnLink(MemorySink):
    """The sink of a host whose own link carries less than its peer offers, and which says so."""

    def __init__(self, carry: Callable[[bytes], None], mtu: int) -> None:
        super().__init__(self._send)
        self.mtu = mtu
        self.refused: dict[bytes, TooLong] = {}
        self.refused_total = 0
        self._wire = carry

    def _send(self, packet: bytes) -> None:
        if len(packet) <= self.mtu:
            return self._wire(packet)
        flow = pack_flow(("10.0.0.1", int.from_bytes(packet[20:22], "big")), SERVER)
        seq = int.from_bytes(packet[24:28], "big")
        self.refused.setdefault(flow, TooLong(flow, seq, self.mtu))
        self.refused_total += 1
        return None

    def take_too_long(self) -> list[TooLong]:
        refused, self.refused = list(self.refused.values()), {}
        return refused


def transfer(network: Network, octets: int, connections: int = 1) -> tuple[int, list[Any]]:
    """Octets that reach the server, and what the client knows of each connection at its end."""
    client = network.hosts.get(CLIENT) or network.host(CLIENT, TcpParameters())
    server = network.host(bytes((10, 0, 0, 2)), TcpParameters())
    acceptor = TcpAcceptor(server.loop, SERVER, TcpParameters())

    async def serve() -> int:
        received = 0
        for _ in range(connections):
            stream = await acceptor.accept()
            while data := await stream.recv():
                received += len(data)
            await stream.close()
        return received

    async def use() -> list[Any]:
        found = []
        for number in range(connections):
            stream: TcpStream = await TcpConnect(("10.0.0.1", 50_001 + number), SERVER, NEVER_US, TcpStream)
            await stream.send(bytes(octets))
            await stream.shutdown()
            await stream.recv()
            found.append(await stream.info())
            await stream.close()
        return found

    there, here = server.spawn(serve()), client.spawn(use())
    network.run(there, here, for_us=60 * SECOND_US)
    assert there.has_ended
    assert here.has_ended
    return there.inbox, here.inbox


@pytest.mark.parametrize("mtu", [1_400, 600])
def test_router_reports__transfer_completes_without_a_timeout(mtu: int) -> None:
    network = Narrow(mtu)
    begun_us = network.clock()
    received, _ = transfer(network, 300_000)
    assert received == 300_000
    assert 0 < network.dropped <= 10, "one window of segments at most"
    assert network.clock() - begun_us < 200_000


def test_router_reports__the_next_connection_begins_with_what_it_reported() -> None:
    network = Narrow(1_400)
    received, _ = transfer(network, 100_000)
    dropped = network.dropped
    assert received == 100_000
    network = Narrow(1_400)
    assert transfer(network, 100_000, connections=3)[0] == 300_000
    assert network.dropped == dropped


def test_router_is_silent__transfer_completes_all_the_same() -> None:
    network = Narrow(1_400, reports=False)
    assert transfer(network, 300_000)[0] == 300_000


def test_own_link_refuses__transfer_completes_without_a_timeout() -> None:
    """As a router that reports, but one that nobody can forge, and whose refusal is heard at once."""
    network = Network(Faults(delay_us=1_000))
    host = network.host(CLIENT, TcpParameters())
    link = host.loop._connections.sink = OwnLink(network.carry, 1_400)
    begun_us = network.clock()
    received, _ = transfer(network, 100_000, connections=3)
    assert received == 300_000
    assert 0 < link.refused_total <= 10, "one window of segments of the first connection at most"
    assert network.clock() - begun_us < 200_000
