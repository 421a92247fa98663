"""Both ends of a connection on one stack or the other, for tests that hold on either."""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

from gossamer.core.clock import SECOND_US
from gossamer.core.io.sock import SockAcceptor, SockConnector, listen
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Host, Network
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.flow import Address

SERVER = ("127.0.0.2", 80)
NOWHERE = ("127.0.0.9", 80)


class Kernel:
    """Both ends on kernel sockets, in real time."""

    def __init__(self) -> None:
        self.waiter = EpollWaiter()
        loops = [SleepLoop(), SockLoop(), DescriptorLoop(), PoolLoop()]
        self.scheduler = Scheduler(self.waiter, loops)
        self.acceptor: Any = SockAcceptor(socket.create_server(("127.0.0.1", 0), backlog=8))
        self.connector: Any = SockConnector()
        self.address = self.acceptor.local
        self.client_scheduler = self.server_scheduler = self.scheduler

    def run(self, coroutine: Any) -> Any:
        """Run a thread of the client's to its end: what it returned."""
        thread = self.scheduler.spawn(coroutine)
        self.scheduler.run()
        return result(thread)

    def listen_anywhere(self) -> tuple[SockAcceptor, Address]:
        """An acceptor on every address of both families, and where an IPv4 client finds it."""
        acceptor = listen(("::", 0))
        return acceptor, ("127.0.0.1", acceptor.local[1])

    def close(self) -> None:
        self.scheduler.close()
        self.waiter.close()


class Functional:
    """Both ends on the functional TCP, in virtual time."""

    def __init__(self) -> None:
        self.network = Network(Faults(delay_us=100))
        self.client: Host = self.network.host(socket.inet_aton("127.0.0.1"))
        self.server: Host = self.network.host(socket.inet_aton(SERVER[0]))
        self.acceptor: Any = TcpAcceptor(self.server.loop, SERVER, TcpParameters())
        self.connector: Any = TcpConnector(self.client.loop, range(61_000, 61_100), b"k" * 32)
        for host in (SERVER[0], f"::ffff:{SERVER[0]}", NOWHERE[0]):
            self.connector._local_hosts[host] = "127.0.0.1"
        self.address = SERVER
        self.client_scheduler, self.server_scheduler = self.client.scheduler, self.server.scheduler

    def run(self, coroutine: Any) -> Any:
        """Run a thread of the client's to its end: what it returned."""
        thread = self.client.spawn(coroutine)
        self.network.run(thread, for_us=100 * SECOND_US)
        return result(thread)

    def listen_again(self) -> TcpAcceptor:
        """Another acceptor on the same address, which must be free."""
        return TcpAcceptor(self.server.loop, SERVER, TcpParameters())

    def listen_anywhere(self) -> tuple[TcpAcceptor, Address]:
        """An acceptor on every address of both families, and where an IPv4 client finds it."""
        return TcpAcceptor(self.server.loop, ("::", 81), TcpParameters()), (SERVER[0], 81)

    def close(self) -> None:
        self.client.scheduler.close()
        self.server.scheduler.close()


def result(thread: Any) -> Any:
    """What a thread returned; raises what ended it."""
    assert thread.has_ended
    if hasattr(thread.inbox, "error"):
        raise thread.inbox.error
    return thread.inbox


async def talk(
    stack: Any, user: Callable[[Any], Awaitable[Any]], peer: Callable[[Any], Awaitable[Any]]
) -> Any:
    """Run on the client: what `user` makes of a stream whose other end is in the hands of `peer`."""

    async def serve() -> None:
        await peer(await stack.acceptor.accept())

    stack.server_scheduler.spawn(serve(), "peer")
    return await user(await stack.connector.connect(stack.address))
