"""Which stack serves an address: the kernel's, unless somebody gave it to another.

    stack = StreamStack(lambda address: TcpAcceptor(tcp_loop, address, parameters), TcpConnector(...))
    with loop.on_stack(stack, {("192.0.2.1", 443)}):
        server = await loop.create_server(factory, "192.0.2.1", 443)

Owns the addresses that were given away, and how `create_server`, `create_connection`, `start_tls` and
`sendfile` use a stack that has no sockets. TLS, the life of a server, resolving names are asyncio's own.
"""

import asyncio
import socket
import ssl
from asyncio import constants, sslproto
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from ipaddress import ip_address
from typing import Any, Final

from gossamer.core.aio.streamsocket import AcceptorSocket, StreamSocket
from gossamer.core.aio.transport import StreamTransport
from gossamer.core.errors import MisuseError
from gossamer.core.io.stream import Acceptor, Connector, Stream
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.wire.flow import Address

ANYWHERE: Final = ("::", "0.0.0.0")
"""What no host means: every address of either family, those of the first before."""

RETRY_US: Final = 1_000_000
"""Until an acceptor is asked again that had an error, as asyncio waits: no descriptor may be left."""


class StreamStack:
    """How connections come to be on a stack other than the kernel's; either may be absent.

    `listen(address)` opens an acceptor: `core.io` has them for both TCPs.
    """

    def __init__(
        self, listen: Callable[[Address], Acceptor] | None = None, connector: Connector | None = None
    ) -> None:
        self.listen = listen
        self.connector = connector


class StackEventLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, where addresses can be given to other stacks."""

    scheduler: SchedulerPort
    create_thread: Callable[..., "asyncio.Future[Any]"]

    # asyncio's, which it does not say.
    _accept_connection2: Callable[..., Any]
    _create_connection_transport: Callable[..., Any]

    def __init__(self, selector: Any) -> None:
        self._stacks: list[tuple[Container[Address], StreamStack]] = []
        super().__init__(selector)

    @contextmanager
    def on_stack(self, stack: StreamStack, addresses: Container[Address]) -> Iterator[None]:
        """In the block, servers on these addresses, and connections to them, are on that stack; what was
        begun stays so. An address is an IP address and a port; of several that have it the last given
        counts."""
        given = (addresses, stack)
        self._stacks.append(given)
        try:
            yield
        finally:
            self._stacks.remove(given)

    def _stack_of(self, address: Address) -> StreamStack | None:
        for addresses, stack in reversed(self._stacks):
            if address in addresses:
                return stack
        return None

    async def _resolved(self, host: Any, port: Any) -> list[Address]:
        """The addresses of a host; those of an IP address without asking anybody."""
        if not host:
            return [(each, int(port or 0)) for each in ANYWHERE]
        try:
            return [(str(ip_address(host)), int(port or 0))]
        except ValueError:
            found = await self.getaddrinfo(host, port, type=1)
            return list(dict.fromkeys((info[4][0], info[4][1]) for info in found))  # type: ignore[misc]  # of TCP

    # Servers.

    async def create_server(  # type: ignore[override]  # asyncio's has overloads
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        backlog: int = 100,
        ssl: ssl.SSLContext | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
        **others: Any,
    ) -> asyncio.Server:
        """As asyncio's; on the stack that the address was given to. Raises: MisuseError where only some of
        several were given to one; OSError."""
        listening = await self._listening(host, port, sock) if self._stacks else []
        if not listening:
            return await super().create_server(
                protocol_factory,
                host,
                port,
                sock=sock,
                backlog=backlog,
                ssl=ssl,
                ssl_handshake_timeout=ssl_handshake_timeout,
                ssl_shutdown_timeout=ssl_shutdown_timeout,
                start_serving=start_serving,
                **others,
            )
        if ssl is not None:
            ssl_handshake_timeout = ssl_handshake_timeout or constants.SSL_HANDSHAKE_TIMEOUT
            ssl_shutdown_timeout = ssl_shutdown_timeout or constants.SSL_SHUTDOWN_TIMEOUT
        server: Any = asyncio.Server(
            self,
            listening,
            protocol_factory,
            ssl,
            backlog,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
        )
        if start_serving:
            server._start_serving()
            await asyncio.sleep(0)
        return server  # type: ignore[no-any-return]  # see above

    async def _listening(self, host: Any, port: Any, sock: Any) -> list[Any]:
        """On other stacks than the kernel's. A program that has bound a socket itself means its address."""
        if sock is not None:
            return self._listening_beside(sock)
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        found = [
            (address, self._stack_of(address))
            for each in hosts
            for address in await self._resolved(each, port)
        ]
        given = [(address, stack) for address, stack in found if stack is not None]
        if not given:
            return []
        if hosts == [None] or hosts == [""]:
            del given[1:]  # "::" is every address of either family
        elif len(given) < len(found):
            kept = next(address for address, stack in found if stack is None)
            raise MisuseError(f"create_server: {given[0][0]} and {kept} are of two stacks: make two servers")
        return [AcceptorSocket(_acceptor(stack, address)) for address, stack in given]

    def _listening_beside(self, sock: Any) -> list[Any]:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return []
        address = sock.getsockname()[:2]
        stack = self._stack_of(address)
        return [] if stack is None else [AcceptorSocket(_acceptor(stack, address), sock)]

    def _start_serving(self, protocol_factory: Any, sock: Any, *rest: Any) -> None:
        if isinstance(sock, AcceptorSocket):
            accepts = self._accepts(sock.acceptor, protocol_factory, copy_context(), *rest)
            self.create_thread(accepts, name=f"accepts on {sock.acceptor!r}")
        else:
            super()._start_serving(protocol_factory, sock, *rest)  # type: ignore[misc]  # asyncio's own

    def _stop_serving(self, sock: Any) -> None:
        if isinstance(sock, AcceptorSocket):
            self.create_thread(_closes(sock), name=f"closes {sock.acceptor!r}")
        else:
            super()._stop_serving(sock)  # type: ignore[misc]  # asyncio's own

    async def _accepts(
        self,
        acceptor: Acceptor,
        protocol_factory: Any,
        context: Any,
        sslcontext: Any = None,
        server: Any = None,
        backlog: int = 100,
        ssl_handshake_timeout: Any = None,
        ssl_shutdown_timeout: Any = None,
    ) -> None:
        """A thread: a task of asyncio's for each connection."""
        del backlog
        while True:
            try:
                async for stream in acceptor:
                    sock = StreamSocket(stream)
                    accepted = self._accept_connection2(
                        protocol_factory,
                        sock,
                        {"peername": sock.getpeername()},
                        sslcontext,
                        server,
                        ssl_handshake_timeout,
                        ssl_shutdown_timeout,
                    )
                    self.create_task(accepted, context=context.copy())
                return
            except OSError as error:
                self.call_exception_handler({"message": f"accepting on {acceptor!r}", "exception": error})
                await sys_sleep(RETRY_US)

    # Connections.

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        **others: Any,
    ) -> Any:
        """As asyncio's; on the stack that the address was given to."""
        if self._stacks and sock is None and host is not None:
            stream = await self._connected(host, port)
            if stream is not None:
                return await self._create_connection_transport(
                    StreamSocket(stream),
                    protocol_factory,
                    ssl,
                    server_hostname or (host if ssl else None),
                    ssl_handshake_timeout=ssl_handshake_timeout,
                    ssl_shutdown_timeout=ssl_shutdown_timeout,
                )
        return await super().create_connection(
            protocol_factory,
            host,
            port,
            ssl=ssl,
            sock=sock,
            server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
            **others,
        )

    async def _connected(self, host: Any, port: Any) -> Stream | None:
        """A stream, of the first address that another stack has. Raises: OSError."""
        for address in await self._resolved(host, port):
            stack = self._stack_of(address)
            if stack is not None and stack.connector is not None:
                stream: Stream = await self.create_thread(stack.connector.connect(address))
                return stream
        return None

    # Transports.

    def _make_socket_transport(
        self, sock: Any, protocol: Any, waiter: Any = None, *, extra: Any = None, server: Any = None
    ) -> Any:
        if isinstance(sock, StreamSocket):
            return StreamTransport(self, sock, protocol, waiter, extra, server)
        make: Any = super()._make_socket_transport  # type: ignore[misc]  # asyncio's own
        return make(sock, protocol, waiter, extra=extra, server=server)

    def _make_ssl_transport(
        self,
        rawsock: Any,
        protocol: Any,
        sslcontext: Any,
        waiter: Any = None,
        *,
        extra: Any = None,
        server: Any = None,
        **options: Any,
    ) -> Any:
        if not isinstance(rawsock, StreamSocket):
            make: Any = super()._make_ssl_transport  # type: ignore[misc]  # asyncio's own
            return make(rawsock, protocol, sslcontext, waiter, extra=extra, server=server, **options)
        tls: Any = sslproto.SSLProtocol(self, protocol, sslcontext, waiter, **options)
        StreamTransport(self, rawsock, tls, None, extra, server)
        return tls._app_transport

    async def _sendfile_native(self, transport: Any, file: Any, offset: int, count: Any) -> int:
        if isinstance(transport, StreamTransport):
            return await transport.send_file(file, offset, count)
        native: Any = super()._sendfile_native  # type: ignore[misc]  # asyncio's own
        sent: int = await native(transport, file, offset, count)
        return sent


def _acceptor(stack: StreamStack, address: Address) -> Acceptor:
    if stack.listen is None:
        raise MisuseError(f"create_server: the stack of {address} does not listen")
    return stack.listen(address)


async def _closes(sock: AcceptorSocket) -> None:
    await sock.acceptor.close()
    if sock.reserved is not None:
        sock.reserved.close()
