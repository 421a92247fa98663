"""TLS behind the interfaces of `core.io.stream`, over a stream of either stack.

Owns the streams, acceptors and connectors of TLS as threads see them. Every method only makes a call of
`core.tls.call`; what stands in a certificate is decided by an `ssl.SSLContext` (`core.tls.context`).
"""

import ssl
from collections.abc import Generator
from typing import Any, Self

from gossamer.core.clock import NEVER_US
from gossamer.core.io.stream import Acceptor, Connector, Stream
from gossamer.core.io.streambase import StreamBase, readable
from gossamer.core.loop.checks import check_timeout, whole_bytes
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import NO_OPTIONS, SocketOptions
from gossamer.core.threads.current import CURRENT
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.tls.call import (
    TlsAbort,
    TlsClose,
    TlsHandshake,
    TlsRecv,
    TlsSend,
    TlsSendFile,
    TlsShutdown,
)
from gossamer.core.tls.connection import HANDSHAKE_US, TlsConnection
from gossamer.core.tls.facts import TlsFacts
from gossamer.core.tls.machine import TlsMachine
from gossamer.core.wire.flow import Address, Flow


class TlsStream(StreamBase, TlsConnection):
    """A `Stream` through TLS, over another one, which it owns from now on.

    The handshake takes place with the first call that needs it, or by `handshake`. What the peer ends with a
    FIN alone is no end: recv raises TruncatedError. After a send that ran out of its time, or was cancelled,
    nothing can be sent any more.
    """

    __slots__ = ()

    send_call = TlsSend
    send_file_call = TlsSendFile
    shutdown_call = TlsShutdown
    close_call = TlsClose
    abort_call = TlsAbort

    @property
    def local(self) -> Address:
        """Our socket."""
        return self.inner.local

    @property
    def peer(self) -> Address:
        """The other side's socket; once it is closed, what it was."""
        return self.inner.peer

    @property
    def tls(self) -> TlsFacts:
        """What was agreed on; of no version before the handshake is over."""
        return self.machine.facts()

    def announce(self, announced: Flow, /) -> None:
        """Have `local` and `peer` say what a proxy has announced."""
        self.inner.announce(announced)

    def handshake(self, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """See the handshake to its end. Raises: TlsError, TimeoutError, OSError."""
        check_timeout(timeout_us)
        return TlsHandshake(self, timeout_us)

    def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> SystemCall[bytes]:
        """At least one byte and at most bytes_max; b"" once the peer has sent close_notify and all was
        read. Raises: TruncatedError where it has ended without."""
        return TlsRecv(self, bytes_max, timeout_us)

    def send(self, data: bytes, timeout_us: int = NEVER_US) -> SystemCall[None]:
        """Returns when all of `data` stands, encrypted, in the (bounded) send buffer."""
        return TlsSend(self, data if type(data) is bytes else whole_bytes("data", data), timeout_us)

    def set_options(self, options: SocketOptions) -> SystemCall[None]:
        """Change options of the connection beneath."""
        return self.inner.set_options(options)

    def options(self) -> SystemCall[SocketOptions]:
        """All options as they are."""
        return self.inner.options()

    def info(self) -> SystemCall[TcpInfo]:
        """The state of the connection beneath."""
        return self.inner.info()


def served(stream: Stream, context: ssl.SSLContext, handshake_timeout_us: int = HANDSHAKE_US) -> TlsStream:
    """The server's end of TLS over a stream."""
    return TlsStream(stream, TlsMachine(context, server_side=True), handshake_timeout_us)


def asked(
    stream: Stream, context: ssl.SSLContext, host: str, handshake_timeout_us: int = HANDSHAKE_US
) -> TlsStream:
    """The client's end of TLS over a stream, for a host: its name, or an IP address."""
    return TlsStream(stream, TlsMachine(context, server_hostname=host or None), handshake_timeout_us)


class TlsAccept(SystemCall[TlsStream], frozen=True):
    """The next connection of an acceptor beneath."""

    acceptor: "TlsAcceptor"

    def __await__(self) -> Generator[Any, Any, TlsStream]:
        return self.acceptor.accepted()


class TlsAcceptor:
    """An `Acceptor` whose connections speak TLS. No connection waits for another's handshake: each has its
    own with its first recv or send."""

    def __init__(
        self, inner: Acceptor, context: ssl.SSLContext, handshake_timeout_us: int = HANDSHAKE_US
    ) -> None:
        self._inner = inner
        self._context = context
        self._handshake_timeout_us = handshake_timeout_us

    @property
    def local(self) -> Address:
        """The socket listened on; once it is closed, what it was."""
        return self._inner.local

    def accept(self) -> SystemCall[TlsStream]:
        """The next connection."""
        return TlsAccept(self)

    def accepted(self) -> Generator[Any, Any, TlsStream]:
        """The steps of that."""
        stream = yield from self._inner.accept().__await__()
        return served(stream, self._context, self._handshake_timeout_us)

    def close(self) -> SystemCall[None]:
        """Stop listening; a blocked accept raises ConnectionAbortedError. Twice is harmless."""
        return self._inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_end: object) -> None:
        await self._inner.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TlsStream:
        """The next connection, until this acceptor is closed."""
        stream = await anext(aiter(self._inner))
        return served(stream, self._context, self._handshake_timeout_us)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {readable(self.local)} over {self._inner!r}>"


class TlsConnect(SystemCall[TlsStream], frozen=True):
    """See `TlsConnector.connect`."""

    connector: "TlsConnector"
    opening: SystemCall[Stream]
    timeout_us: int

    def __await__(self) -> Generator[Any, Any, TlsStream]:
        return self.connector.connected(self.opening, self.timeout_us)


class TlsConnector:
    """A `Connector` that opens connections and shakes hands on each, for one host."""

    def __init__(
        self,
        inner: Connector,
        context: ssl.SSLContext,
        host: str,
        handshake_timeout_us: int = HANDSHAKE_US,
    ) -> None:
        """`host` is the name, or the address, that the certificate must be for; "": none is asked for."""
        self._inner = inner
        self._context = context
        self._host = host
        self._handshake_timeout_us = handshake_timeout_us

    def connect(
        self, address: Address, timeout_us: int = NEVER_US, options: SocketOptions = NO_OPTIONS
    ) -> SystemCall[TlsStream]:
        """Raises: ConnectionRefusedError, TimeoutError, TlsError, OSError; MisuseError at once for a wrong
        argument. The time is for both, opening and handshake."""
        return TlsConnect(self, self._inner.connect(address, timeout_us, options), timeout_us)

    def connected(self, opening: SystemCall[Stream], timeout_us: int) -> Generator[Any, Any, TlsStream]:
        """The steps of that."""
        until_us = NEVER_US if timeout_us >= NEVER_US else CURRENT.get().clock() + timeout_us
        stream = asked(
            (yield from opening.__await__()), self._context, self._host, self._handshake_timeout_us
        )
        left_us = NEVER_US if until_us >= NEVER_US else max(0, until_us - CURRENT.get().clock())
        try:
            yield from stream.ready(left_us)
        except GeneratorExit:
            raise
        except BaseException:
            yield from stream.aborted()
            raise
        return stream
