"""What streams, acceptors and connectors of either stack have in common.

Owns the methods of a stream, each of which makes a system call of its own stack, and what is built from them:
blocks, iteration, how they are printed. `core.io.sock` and `core.io.tcpsock` say which calls these are.
"""

from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from gossamer.core.clock import NEVER_US
from gossamer.core.io.block import StreamBlock, StreamIteration
from gossamer.core.loop.checks import whole_bytes
from gossamer.core.loop.streamcall import (
    AcceptorAccept,
    AcceptorClose,
    Idle,
    StreamAbort,
    StreamClose,
    StreamGetInfo,
    StreamGetOptions,
    StreamSend,
    StreamSendFile,
    StreamSetOptions,
    StreamShutdown,
)
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.tls.facts import TlsFacts
from gossamer.core.wire.flow import Address

S_co = TypeVar("S_co", covariant=True)


def readable(address: Address) -> str:
    """An address as people write it: "127.0.0.1:80", "[::1]:80", the path of a Unix socket, or "unnamed".

    >>> from gossamer.core.io.streambase import readable
    >>> readable(("::1", 80)), readable(("/run/socket", 0)), readable(("", 0))
    ('[::1]:80', '/run/socket', 'unnamed')
    """
    host, port = address
    if ":" in host:
        return f"[{host}]:{port}"
    if not host:
        return "unnamed"
    return f"{host}:{port}" if port or "/" not in host else host


class StreamBase(StreamBlock, StreamIteration):
    """The methods of a `Stream`.

    Raises: MisuseError for a wrong argument.
    """

    __slots__ = ()

    send_call: ClassVar[type[StreamSend]]
    send_file_call: ClassVar[type[StreamSendFile]]
    file_pieces: ClassVar[int] = 1
    """How many pieces of a file it had better be given at a time, where the page cache holds them."""
    shutdown_call: ClassVar[type[StreamShutdown]]
    close_call: ClassVar[type[StreamClose]]
    abort_call: ClassVar[type[StreamAbort]]
    set_options_call: ClassVar[type[StreamSetOptions]]
    get_options_call: ClassVar[type[StreamGetOptions]]
    get_info_call: ClassVar[type[StreamGetInfo]]

    is_closed: bool

    @property
    def local(self) -> Address:
        """Our socket."""
        raise NotImplementedError

    @property
    def peer(self) -> Address:
        """The other side's socket; once it is closed, what it was."""
        raise NotImplementedError

    @property
    def tls(self) -> TlsFacts | None:
        """None: the connection is plain."""
        return None

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent its FIN and all was read."""
        raise NotImplementedError

    def recv_idle(self, idle: Idle) -> SystemCall[bytes]:
        """As `recv`, by a thread that may be ended here."""
        return self.recv(idle.bytes_max, idle.timeout_us)

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when all of `data` stands in the (bounded) send buffer."""
        raise NotImplementedError

    def send_last(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Send what is sent last: `shutdown` or `close` must follow, and where the stack can, the FIN rides
        on the last segment already."""
        data = data if type(data) is bytes else whole_bytes("data", data)
        return self.send_call(self, data, timeout_us, True)

    def send_file(self, fd: int, offset: int, length: int, timeout_us: int = NEVER_US) -> SystemCall[int]:
        """Send a part of an open file without copying it into the process; returns how many bytes were sent,
        fewer only if it has shrunk. The file may be closed then."""
        return self.send_file_call(self, fd, offset, length, timeout_us)

    def shutdown(self) -> SystemCall[None]:
        """Half-close: a FIN after what was sent; receiving goes on. Twice is harmless."""
        return self.shutdown_call(self)

    def close(self) -> SystemCall[None]:
        """Close both ways, orderly; what was sent is still delivered. Twice is harmless."""
        return self.close_call(self)

    def abort(self) -> SystemCall[None]:
        """Close at once with a RST; what was not delivered is dropped. Harmless once it is closed."""
        return self.abort_call(self)

    def set_options(self, options: SocketOptions) -> SystemCall[None]:
        """Change options of this connection; they hold from now on."""
        return self.set_options_call(self, options)

    def options(self) -> SystemCall[SocketOptions]:
        """All options as they are."""
        return self.get_options_call(self)

    def info(self) -> SystemCall[TcpInfo]:
        """The state of the connection, its timers, windows and counters, as TCP_INFO names them."""
        return self.get_info_call(self)

    def __repr__(self) -> str:
        closed = ", closed" if self.is_closed else ""
        try:
            peer = readable(self.peer)
        except OSError:
            peer = "nobody"  # a socket that was adopted and is not connected
        return f"<{type(self).__name__} {readable(self.local)} to {peer}{closed}>"


class AcceptorBase(Generic[S_co]):
    """The methods of an `Acceptor`."""

    accept_call: ClassVar[type[AcceptorAccept]]
    close_call: ClassVar[type[AcceptorClose]]

    _listener: Any

    @property
    def local(self) -> Address:
        """The socket listened on; once it is closed, what it was."""
        raise NotImplementedError

    def accept(self) -> SystemCall[S_co]:
        """The next connection."""
        return self.accept_call(self._listener)

    def close(self) -> SystemCall[None]:
        """Stop listening; a blocked accept raises ConnectionAbortedError. Twice is harmless."""
        return self.close_call(self._listener)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> S_co:
        """The next connection, until this acceptor is closed."""
        try:
            return await self.accept()
        except ConnectionAbortedError:
            if self._listener.is_closed:
                raise StopAsyncIteration from None
            raise

    def __repr__(self) -> str:
        closed = ", closed" if self._listener.is_closed else ""
        return f"<{type(self).__name__} on {readable(self.local)}{closed}>"
