"""A paced connection under the whole loop: its timer is armed by what its step asks for."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.sim.link import Faults, Line
from gossamer.core.sim.network import Network
from gossamer.core.tcp.parameters import TcpParameters

SERVER = ("10.0.0.2", 80)
OCTETS = bytes(range(256)) * 2_000


@pytest.mark.parametrize(
    "parameters", [TcpParameters(congestion="bbr"), TcpParameters(pacing="on")], ids=["bbr", "cubic paced"]
)
def test_half_a_megabyte__paced__at_the_rate_of_the_line(parameters: TcpParameters) -> None:
    network, received = Network(Faults(delay_us=200_000), seed=5, line=Line(rate_bps=5_000_000)), bytearray()
    client, server = (network.host(bytes((10, 0, 0, number)), parameters) for number in (1, 2))
    acceptor = TcpAcceptor(server.loop, SERVER, parameters)

    async def serves() -> None:
        stream = await acceptor.accept()
        while data := await stream.recv():
            received.extend(data)

    async def sends() -> None:
        stream: Any = await TcpConnect(("10.0.0.1", 50_001), SERVER, NEVER_US, TcpStream)
        await stream.send(OCTETS)
        await stream.shutdown()

    began_us = network.clock()
    network.run(server.spawn(serves()), client.spawn(sends()), for_us=20 * SECOND_US)
    assert received == OCTETS
    # Virtual time, the same in every run. If only ACKs let segments out it takes 3.23 s.
    assert network.clock() - began_us < 3_100_000
