"""Sockets that a program opens itself, and connects by the loop to an address of another stack.

    sock = socket.socket(...)
    await loop.sock_connect(sock, address)                             # aiohttp's client begins so
    transport, protocol = await loop.create_connection(factory, sock=sock)

Owns which stream stands behind such a socket, which is the kernel's and stays unconnected: `sock_*` and
`create_connection(sock=)` of the loop go to the stream, the socket's own methods know nothing of it.
"""

import asyncio
import socket
from asyncio.exceptions import SendfileNotAvailableError
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary, finalize

from gossamer.core.aio.stacks import StackEventLoop, StreamStack
from gossamer.core.aio.streamsocket import StreamSocket
from gossamer.core.io.stream import Stream

FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


class Behind(NamedTuple):
    """What stands behind a socket."""

    stream: Stream
    forgotten: "finalize[..., socket.socket]"
    """What is to be done when the socket is gone, and no transport has taken the stream over."""


class OwnSocketLoop(StackEventLoop):
    """asyncio's loop, where such sockets are of the stack that their address was given to."""

    def __init__(self, selector: Any) -> None:
        self._behind: WeakKeyDictionary[socket.socket, Behind] = WeakKeyDictionary()
        """Of sockets whose streams no transport has taken over yet."""
        super().__init__(selector)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """As asyncio's. Raises: OSError."""
        stack = self._stack_for(sock, address) if self._stacks else None
        if stack is None or stack.connector is None:
            await super().sock_connect(sock, address)
            return
        stream: Stream = await self.create_thread(stack.connector.connect((str(address[0]), address[1])))
        forgotten = finalize(sock, self._end_unreachable, stream)
        forgotten.atexit = False
        self._behind[sock] = Behind(stream, forgotten)

    def _stack_for(self, sock: socket.socket, address: Any) -> StreamStack | None:
        if sock.family not in FAMILIES or sock.type != socket.SOCK_STREAM:
            return None
        try:
            return self._stack_of((str(ip_address(address[0])), int(address[1])))
        except ValueError:  # a name: asyncio asks for its addresses
            return None

    def _end_unreachable(self, stream: Stream) -> None:
        if not self.is_closed():
            self.call_soon_threadsafe(self.create_thread, stream.abort())

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        **others: Any,
    ) -> Any:
        """As asyncio's."""
        if sock is not None and self._behind and (behind := self._behind.pop(sock, None)) is not None:
            behind.forgotten.detach()
            sock.close()
            sock = StreamSocket(behind.stream)
        return await super().create_connection(protocol_factory, host, port, sock=sock, **others)

    # What a program does with its socket itself.

    def _of(self, sock: socket.socket) -> Stream | None:
        """The stream behind it; None where the socket is all there is."""
        behind = self._behind.get(sock) if self._behind else None
        return None if behind is None else behind.stream

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        """As asyncio's."""
        stream = self._of(sock)
        if stream is None:
            return await super().sock_recv(sock, nbytes)
        received: bytes = await self.create_thread(stream.recv(nbytes))
        return received

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        """As asyncio's."""
        stream = self._of(sock)
        if stream is None:
            return await super().sock_recv_into(sock, buf)
        view = memoryview(buf).cast("B")
        received: bytes = await self.create_thread(stream.recv(len(view)))
        view[: len(received)] = received
        return len(received)

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        """As asyncio's."""
        stream = self._of(sock)
        if stream is None:
            await super().sock_sendall(sock, data)
        elif len(data):
            await self.create_thread(stream.send(bytes(data)))

    async def _sock_sendfile_native(self, sock: Any, file: Any, offset: int, count: Any) -> int:
        if self._of(sock) is not None:
            raise SendfileNotAvailableError("the socket has no descriptor that could be sent to")
        native: Any = super()._sock_sendfile_native  # type: ignore[misc]  # asyncio's own
        sent: int = await native(sock, file, offset, count)
        return sent
