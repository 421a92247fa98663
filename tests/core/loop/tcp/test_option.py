"""Options, info and closes that linger, on the functional TCP: threads on virtual hosts."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.segment import RST, SYN, Segment

SERVER = ("10.0.0.2", 80)
DELAY_US = 5_000


class Rig:
    """A client and a server on one wire."""

    def __init__(self, parameters: TcpParameters) -> None:
        self.network = Network(Faults(delay_us=DELAY_US))
        self.client = self.network.host(bytes((10, 0, 0, 1)), parameters)
        self.server = self.network.host(bytes((10, 0, 0, 2)), parameters)
        self.acceptor = TcpAcceptor(self.server.loop, SERVER, parameters)

    async def connect(self, options: SocketOptions = NO_OPTIONS) -> TcpStream:
        stream: TcpStream = await TcpConnect(("10.0.0.1", 50_001), SERVER, NEVER_US, TcpStream, options)
        return stream

    def run(self, handler: Any, user: Any) -> tuple[Any, Any]:
        """What both threads returned."""
        there, here = self.server.spawn(handler()), self.client.spawn(user())
        self.network.run(there, here, for_us=100 * SECOND_US)
        assert there.has_ended
        assert here.has_ended
        for thread in (there, here):
            assert getattr(thread.inbox, "error", None) is None, thread.inbox
        return there.inbox, here.inbox

    def segments(self) -> list[Segment]:
        parsed = [parse_packet(packet) for packet in self.network.seen]
        return [each[1] for each in parsed if isinstance(each, tuple)]


@pytest.fixture
def rig() -> Rig:
    return Rig(TcpParameters(receive_buffer_bytes=8_192))


async def error_of(call: Any) -> BaseException | None:
    try:
        await call
    except OSError as error:
        return error
    return None


def test_options__set_and_read_back__of_one_connection_only(rig: Rig) -> None:
    async def handler() -> SocketOptions:
        stream = await rig.acceptor.accept()
        await stream.set_options(SocketOptions(nodelay=False, user_timeout_us=SECOND_US))
        return await stream.options()

    async def user() -> SocketOptions:
        return await (await rig.connect()).options()

    there, here = rig.run(handler, user)
    assert (there.nodelay, there.user_timeout_us) == (False, SECOND_US)
    assert (here.nodelay, here.user_timeout_us) == (True, NEVER_US)
    assert here.maxseg_bytes == 1_460


def test_connect__with_options__the_syn_offers_them(rig: Rig) -> None:
    async def handler() -> int:
        stream = await rig.acceptor.accept()
        return (await stream.info()).tcpi_snd_mss or 0

    async def user() -> SocketOptions:
        stream = await rig.connect(SocketOptions(maxseg_bytes=700, keepalive_idle_us=SECOND_US))
        return await stream.options()

    smss, options = rig.run(handler, user)
    syn = next(s for s in rig.segments() if s.flags == SYN)
    assert syn.syn_options is not None
    assert syn.syn_options.mss == 700
    assert (smss, options.maxseg_bytes, options.keepalive_idle_us) == (688, 700, SECOND_US)


def test_info__while_open_and_once_closed(rig: Rig) -> None:
    async def handler() -> Any:
        stream = await rig.acceptor.accept()
        data = await stream.recv()
        found = await stream.info()
        await stream.close()
        return data, found

    async def user() -> Any:
        stream = await rig.connect()
        await stream.send(b"12345")
        await stream.recv()
        await stream.close()
        return await stream.info(), await error_of(stream.options())

    (_, found), (ended, error) = rig.run(handler, user)
    assert (found.tcpi_state, found.tcpi_bytes_received) == (1, 5)
    assert found.tcpi_rtt == pytest.approx(2 * DELAY_US, abs=1_000)
    assert ended.tcpi_state in (6, 7, 9)
    assert error is None or isinstance(error, ConnectionAbortedError)


def test_options__of_a_connection_that_is_over__raises(rig: Rig) -> None:
    async def handler() -> None:
        await (await rig.acceptor.accept()).abort()

    async def user() -> Any:
        stream = await rig.connect()
        await error_of(stream.recv())
        closed = await stream.info()
        return closed.tcpi_state, await error_of(stream.set_options(SocketOptions(nodelay=True)))

    _, (state, error) = rig.run(handler, user)
    assert state == 7
    assert isinstance(error, ConnectionResetError)


def test_close__lingers__returns_when_all_is_acknowledged(rig: Rig) -> None:
    async def handler() -> bytes:
        stream, received = await rig.acceptor.accept(), b""
        await sys_sleep(SECOND_US)
        while data := await stream.recv():
            received += data
        await stream.close()
        return received

    async def user() -> int:
        stream = await rig.connect(SocketOptions(linger_us=30 * SECOND_US))
        await stream.send(bytes(20_000))
        begun_us = rig.network.clock()
        await stream.close()
        return rig.network.clock() - begun_us

    received, took_us = rig.run(handler, user)
    assert received == bytes(20_000)
    assert took_us > SECOND_US - 10 * DELAY_US


def test_close__lingers__nobody_reads__times_out_and_aborts(rig: Rig) -> None:
    async def handler() -> Any:
        stream = await rig.acceptor.accept()
        await sys_sleep(10 * SECOND_US)
        return await error_of(stream.send(b"x"))

    async def user() -> Any:
        stream = await rig.connect(SocketOptions(linger_us=2 * SECOND_US))
        await stream.send(bytes(20_000))
        begun_us = rig.network.clock()
        return await error_of(stream.close()), rig.network.clock() - begun_us

    there, (error, took_us) = rig.run(handler, user)
    assert isinstance(error, TimeoutError)
    assert took_us == 2 * SECOND_US
    assert isinstance(there, ConnectionResetError)
    assert rig.client.statistics["connections"] == 0


def test_close__lingers__reset_meanwhile__is_raised(rig: Rig) -> None:
    async def handler() -> None:
        stream = await rig.acceptor.accept()
        await sys_sleep(SECOND_US)
        await stream.abort()

    async def user() -> Any:
        stream = await rig.connect(SocketOptions(linger_us=30 * SECOND_US))
        await stream.send(bytes(20_000))
        return await error_of(stream.close())

    assert isinstance(rig.run(handler, user)[1], ConnectionResetError)


def test_close__lingers__nothing_unacknowledged__returns_at_once(rig: Rig) -> None:
    async def handler() -> None:
        await (await rig.acceptor.accept()).close()

    async def user() -> int:
        stream = await rig.connect(SocketOptions(linger_us=30 * SECOND_US))
        await stream.shutdown()
        await stream.recv()
        begun_us = rig.network.clock()
        await stream.close()
        return rig.network.clock() - begun_us

    assert rig.run(handler, user)[1] == 0


def test_close__linger_zero__resets(rig: Rig) -> None:
    async def handler() -> Any:
        return await error_of((await rig.acceptor.accept()).recv())

    async def user() -> None:
        await (await rig.connect(SocketOptions(linger_us=0))).close()

    assert isinstance(rig.run(handler, user)[0], ConnectionResetError)
    assert [s for s in rig.segments() if s.flags & RST]
