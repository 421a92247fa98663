"""The one interface of a byte stream, on either stack.

`core.io.sock` fulfils it over kernel sockets, `core.io.tcpsock` over the functional TCP; code written to it
(the web server, the load generator, a user's handler) runs on both by one setting. Every method returns a
system call to be awaited.

    async def echo(stream: Stream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data)
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol, Self

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.streamcall import Idle
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.tls.facts import TlsFacts
from gossamer.core.wire.flow import Address, Flow


class Stream(Protocol):
    """A connected byte stream. One thread may receive while another sends.

    Raises: ConnectionResetError, TimeoutError (also when the call's own timeout passed: the stream stays
    usable then), OSError, from every call on a connection that has ended so; BrokenPipeError from a send
    after `shutdown`; ConnectionAbortedError from every call but `close`, `abort` and `info` once it is
    closed; MisuseError for a wrong argument, and for a second thread that receives, or sends.
    """

    @property
    def local(self) -> Address:
        """Our socket."""

    @property
    def peer(self) -> Address:
        """The other side's socket; once it is closed, what it was."""

    @property
    def tls(self) -> TlsFacts | None:
        """What both ends of TLS have agreed on; None where the connection is plain."""

    def announce(self, announced: Flow, /) -> None:
        """Have `local` and `peer` say what a proxy has announced (`core.wire.proxy_protocol`)."""

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max, never more than 1 MiB at once; b"" once the peer has sent
        its FIN and all was read.
        """

    def recv_idle(self, idle: Idle) -> SystemCall[bytes]:
        """As `recv(idle.bytes_max, idle.timeout_us)`, for a wait between two requests that may be long.

        On the functional TCP a thread that has waited for `tcp.park_after` is ended here, unless somebody
        joins it or it stands in a cancel scope: `idle.again(stream)` is a new one in its place, with a new
        stream, once there is something to receive, or its recv is to end otherwise: the time is over, the
        server drains. On either stack the same takes place when the connection goes to another worker. So
        what the thread has kept must not matter: no `finally` clause, no other reference to the stream.
        """

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when all of `data` stands in the (bounded) send buffer."""

    def send_last(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Send what is sent last: `shutdown` or `close` must follow, and where the stack can, the FIN rides
        on the last segment already."""

    def send_file(self, fd: int, offset: int, length: int, timeout_us: int = NEVER_US) -> SystemCall[int]:
        """Send a part of an open file without copying it into the process; returns how many bytes were sent,
        fewer only if it has shrunk. The file may be closed then.

        What the page cache does not hold is read while all other threads wait: `gossamer.send_file` asks
        first. Should the file become shorter before all that was taken has left, the connection ends: the
        peer has been promised what is not there any more.
        """

    def shutdown(self) -> SystemCall[None]:
        """Half-close: a FIN after what was sent; receiving goes on. Twice is harmless."""

    def close(self) -> SystemCall[None]:
        """Close both ways, orderly; what was sent is still delivered. Closing twice is harmless.

        With the option `linger_us` it returns when all is acknowledged, or raises TimeoutError and aborts.
        """

    def abort(self) -> SystemCall[None]:
        """Close at once with a RST; what was not delivered is dropped. Harmless once it is closed."""

    def set_options(self, options: SocketOptions) -> SystemCall[None]:
        """Change options of this connection; they hold from now on."""

    def options(self) -> SystemCall[SocketOptions]:
        """All options as they are."""

    def info(self) -> SystemCall[TcpInfo]:
        """The state of the connection, its timers, windows and counters, as TCP_INFO names them."""

    async def __aenter__(self) -> Self:
        """It is closed when the block is left; aborted, where the block fails or is cancelled."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """What comes, until the peer's FIN."""


class Acceptor(Protocol):
    """A listening socket."""

    @property
    def local(self) -> Address:
        """The socket listened on; once it is closed, what it was."""

    def accept(self) -> SystemCall[Stream]:
        """The next connection."""

    def close(self) -> SystemCall[None]:
        """Stop listening; a blocked accept raises ConnectionAbortedError. Twice is harmless."""

    async def __aenter__(self) -> Self:
        """It is closed when the block is left."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[Stream]:
        """The connections, until it is closed."""


class Connector(Protocol):
    """Opens connections actively."""

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS
    ) -> SystemCall[Stream]:
        """Raises: ConnectionRefusedError, TimeoutError, OSError; MisuseError at once for a wrong argument."""
