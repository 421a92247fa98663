"""Options, info and closes that linger, on kernel sockets of loopback."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.loop.sock.option import read_info
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.scheduler import Scheduler

FULL_PIPE = 64 << 20
"""More than the kernel's buffers of one connection hold."""


class Rig:
    """A scheduler with the socket loop, and a listener."""

    def __init__(self) -> None:
        self.waiter = EpollWaiter()
        self.scheduler = Scheduler(self.waiter, [SleepLoop(), SockLoop()])
        self.acceptor = SockAcceptor(socket.create_server(("127.0.0.1", 0)))

    async def pair(self, options: SocketOptions = NO_OPTIONS) -> tuple[SockStream, SockStream]:
        ours = await SockConnector().connect(self.acceptor.local, options=options)
        return ours, await self.acceptor.accept()

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        async def outer() -> Any:
            try:
                return await main()
            finally:
                self.scheduler.stop()

        thread = self.scheduler.spawn(outer())
        self.scheduler.run()
        if (error := getattr(thread.inbox, "error", None)) is not None:
            raise error
        return thread.inbox


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.scheduler.close()
    made.waiter.close()


OPTIONS = SocketOptions(
    nodelay=False,
    keepalive_idle_us=60 * SECOND_US,
    keepalive_interval_us=5 * SECOND_US,
    keepalive_probes=3,
    user_timeout_us=30 * SECOND_US,
    linger_us=2 * SECOND_US,
    congestion="newreno",
    dscp=46,
    notsent_lowat_bytes=16_384,
)


def test_options__set_and_read_back__as_the_kernel_keeps_them(rig: Rig) -> None:
    async def main() -> SocketOptions:
        ours, _ = await rig.pair()
        await ours.set_options(OPTIONS)
        return await ours.options()

    found = rig.run(main)
    names = [name for name in SocketOptions.__struct_fields__ if getattr(OPTIONS, name) is not None]
    assert {name: getattr(found, name) for name in names} == {n: getattr(OPTIONS, n) for n in names}


def test_options__never__keepalive_and_user_timeout_are_off(rig: Rig) -> None:
    async def main() -> SocketOptions:
        ours, _ = await rig.pair(OPTIONS)
        await ours.set_options(SocketOptions(keepalive_idle_us=NEVER_US, user_timeout_us=NEVER_US))
        return await ours.options()

    found = rig.run(main)
    assert (found.keepalive_idle_us, found.user_timeout_us) == (NEVER_US, NEVER_US)
    assert found.keepalive_probes == 3


def test_connect__maxseg__before_the_syn(rig: Rig) -> None:
    async def main() -> Any:
        ours, theirs = await rig.pair(SocketOptions(maxseg_bytes=700))
        return await ours.info(), await theirs.info()

    ours, theirs = rig.run(main)
    assert ours.tcpi_snd_mss is not None
    assert ours.tcpi_snd_mss <= 700
    assert theirs.tcpi_snd_mss <= 700


def test_info__agrees_with_what_was_sent(rig: Rig) -> None:
    async def main() -> Any:
        ours, theirs = await rig.pair()
        await ours.send(b"12345")
        await theirs.recv()
        await theirs.send(b"67")
        await ours.recv()
        return await ours.info(), await theirs.info()

    ours, theirs = rig.run(main)
    assert (ours.tcpi_state, ours.tcpi_bytes_received) == (1, 2)
    # Linux counts the SYN of the side that opened.
    assert ours.tcpi_bytes_acked == 5 + 1
    assert theirs.tcpi_bytes_received == 5
    assert ours.tcpi_options & 7 == 7
    assert 0 < ours.tcpi_rtt < SECOND_US
    assert ours.tcpi_snd_cwnd >= 10


def test_info__of_a_listener__is_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert read_info(listener).tcpi_state == 10


def test_info__closed__is_closed_and_options_raise(rig: Rig) -> None:
    async def main() -> int:
        ours, _ = await rig.pair()
        await ours.close()
        with pytest.raises(ConnectionAbortedError):
            await ours.options()
        return (await ours.info()).tcpi_state

    assert rig.run(main) == 7


def test_close__linger_zero__resets(rig: Rig) -> None:
    async def main() -> None:
        ours, theirs = await rig.pair(SocketOptions(linger_us=0))
        await ours.close()
        with pytest.raises(ConnectionResetError):
            await theirs.recv()

    rig.run(main)


def test_close__lingers__peer_reads__returns_when_all_is_acknowledged(rig: Rig) -> None:
    async def main() -> int:
        ours, theirs = await rig.pair(SocketOptions(linger_us=20 * SECOND_US))
        await ours.send(b"x" * 100_000)
        await ours.close()
        count = 0
        while data := await theirs.recv():
            count += len(data)
        return count

    assert rig.run(main) == 100_000


def test_close__lingers__nobody_reads__times_out_and_resets(rig: Rig) -> None:
    async def read_all(stream: SockStream) -> None:
        while await stream.recv():
            pass

    async def main() -> None:
        ours, theirs = await rig.pair(SocketOptions(linger_us=50_000))
        with pytest.raises(TimeoutError):
            await ours.send(bytes(FULL_PIPE), timeout_us=20_000)
        with pytest.raises(TimeoutError, match="lingered"):
            await ours.close()
        with pytest.raises(ConnectionResetError):
            await read_all(theirs)

    rig.run(main)


def test_close__lingers__reset_by_the_peer__is_raised(rig: Rig) -> None:
    async def main() -> None:
        ours, theirs = await rig.pair(SocketOptions(linger_us=10 * SECOND_US))
        with pytest.raises(TimeoutError):
            await ours.send(bytes(FULL_PIPE), timeout_us=20_000)

        async def resets() -> None:
            await theirs.abort()

        rig.scheduler.spawn(resets())
        with pytest.raises(ConnectionResetError):
            await ours.close()

    rig.run(main)
