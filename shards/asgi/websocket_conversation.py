"""A WebSocket of an application's: the connection's side.

Owns the stream from the handshake on: one thread sends what the application has put out, a second one reads
while there is room for what comes, and answers pings. Who waits how long: for a sign of life, for the peer's
close.

Source: RFC 6455 4.2, 5.5, 7.1.
"""

from typing import Final, Protocol

from gossamer.core.errors import Draining
from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.websocket import ABNORMAL_CLOSURE, SERVICE_RESTART, WebSocketConnection
from gossamer.core.http.websocket_handshake import WebSocketOffer, read_offer, refuse_handshake
from gossamer.core.io.lingering import linger
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import Fork
from gossamer.core.threads.cancel import CancelScope
from gossamer.shards.asgi.exchange import ExchangeOwner
from gossamer.shards.asgi.messages import Stage
from gossamer.shards.asgi.scope import Asker
from gossamer.shards.asgi.tasks import ApplicationLoop
from gossamer.shards.asgi.websocket import SocketExchange
from gossamer.shards.asgi.websocket_sender import SocketSender
from gossamer.shards.web.answer import error_answer
from gossamer.shards.web.burst import BurstSite, whole_response

PING_AFTER_US: Final = 20_000_000
"""A peer that is silent for so long is pinged; silent for as long again it is gone."""
CLOSE_US: Final = 10_000_000
"""How long a peer's close may take after ours."""
RECV_BYTES: Final = 65536


class AsgiTimes(Protocol):
    """What a conversation asks of the options."""

    @property
    def timeout_us(self) -> int:
        """How long an application may be silent; 0 is for ever."""


class SocketSite(BurstSite, ExchangeOwner, Protocol):
    """What is asked of who serves the application."""

    loop: ApplicationLoop
    sockets: set[SocketExchange]
    """Those that are open: a drain closes them."""

    def begin_socket(self, socket: SocketExchange, asker: Asker, request: Request) -> None:
        """Have the application begin with it, and go on until it waits."""

    def give_up_socket(self, socket: SocketExchange, request: Request) -> None:
        """Its application takes longer to answer the handshake than one may."""

    @property
    def own(self) -> AsgiTimes:
        """How long that is."""


class SocketConversation:
    """One WebSocket on its stream. Bounds: those of a `SocketExchange`."""

    __slots__ = ("asker", "is_pinged", "sender", "site", "stream")

    def __init__(self, site: SocketSite, stream: Stream, asker: Asker) -> None:
        self.site = site
        self.stream = stream
        self.asker = asker
        self.is_pinged = False
        self.sender: SocketSender | None = None
        """What sends once it is open, where that takes no thread."""

    async def run(self, request: Request, head: bytes, unread: bytes) -> None:
        """From the handshake to the end; the stream is to be closed then. Raises: OSError."""
        began_us = self.site.clock()
        offer = read_offer(request)
        if isinstance(offer, Refusal):
            await self.stream.send_last(refuse_handshake(offer), self.site.options.write_timeout_us)
            self.site.note(self.stream, head, offer.status, 0, began_us)
            await linger(self.stream, self.site.clock)
            return
        socket = self.socket_of(offer)
        self.site.begin_socket(socket, self.asker, request)
        self.site.sockets.add(socket)
        reading = CancelScope()
        is_reading = False
        try:
            while not self.is_over(socket):
                if socket.out and socket.hasten is None:
                    await self.send_out(socket)
                elif socket.connection is not None and not is_reading:
                    is_reading = True
                    if self.stream.tls is None:
                        self.begin_sender(socket)
                    if unread:
                        socket.hear(unread)
                    await Fork(self.read_on(socket, reading), "reads a WebSocket")
                elif self.site.is_draining and drain(socket):
                    continue
                else:
                    await self.attend(socket, request)
            if socket.connection is None and socket.denial is None and not socket.is_broken:
                await self.refuse(socket.status)
            if self.sender is not None:
                self.sender.check()
        finally:
            reading.cancel()
            self.sender = socket.hasten = None
            self.site.sockets.discard(socket)
            socket.leave(ABNORMAL_CLOSURE, "")
        body_bytes = 0 if socket.denial is None else socket.denial.sent_bytes
        self.site.note(self.stream, head, socket.status, body_bytes, began_us)
        if not socket.is_broken and (socket.connection is None or socket.connection.is_failed):
            await linger(self.stream, self.site.clock)

    async def attend(self, socket: SocketExchange, request: Request) -> None:
        """Wait until something happens. An application that is silent before its answer to the handshake is
        whole is given up, where there is a limit to it; on an open WebSocket it may be."""
        limit_us = self.site.own.timeout_us
        if not limit_us or socket.connection is not None:
            await socket.park()
            return
        with CancelScope(self.site.clock() + limit_us) as scope:
            await socket.park()
        if scope.cancelled_caught:
            self.site.give_up_socket(socket, request)
            if socket.is_broken:
                await self.stream.abort()  # Its client must not take the part for all.

    def begin_sender(self, socket: SocketExchange) -> None:
        """From now on what is put out leaves without this thread."""
        self.sender = SocketSender(socket, self.stream, self.site.options.write_timeout_us, self.site.loop)
        socket.hasten = self.sender.hasten

    def socket_of(self, offer: WebSocketOffer) -> SocketExchange:
        """What the application has of it."""
        lines = self.site.setting().lines.split("\r\n")[:-1]
        pairs = [line.partition(": ") for line in lines]
        return SocketExchange(self.site, offer, [(name, value) for name, _, value in pairs])

    def is_over(self, socket: SocketExchange) -> bool:
        """Whether nothing more is to be done on the stream."""
        if socket.is_broken:
            return True
        if socket.out or (self.sender is not None and self.sender.is_sending):
            return False
        if socket.connection is not None:
            return socket.connection.is_disconnected
        return socket.stage is Stage.CLOSED or (socket.has_ended and socket.stage is Stage.DENIAL)

    async def refuse(self, status: int) -> None:
        """Answer a handshake that the application has not accepted."""
        answer = error_answer(status, None, self.site.setting())
        await self.stream.send_last(whole_response(answer, b""), self.site.options.write_timeout_us)

    async def send_out(self, socket: SocketExchange) -> None:
        """Send what waits. Raises: OSError, and it is broken then."""
        data = b"".join(socket.out)
        socket.out.clear()
        try:
            await self.stream.send(data, self.site.options.write_timeout_us)
        except BaseException:
            socket.broke()
            raise
        socket.went(len(data))

    # Reading.

    async def read_on(self, socket: SocketExchange, scope: CancelScope) -> None:
        """A thread: read while there is room, to the end."""
        connection = socket.connection
        assert connection is not None
        receive = self.stream.recv(RECV_BYTES, PING_AFTER_US)
        with scope:
            while not connection.is_disconnected and not socket.is_broken:
                if connection.is_open and not socket.has_room:
                    await socket.park_without_room()
                    continue
                try:
                    data = await (receive if connection.is_open else self.stream.recv(RECV_BYTES, CLOSE_US))
                except TimeoutError:
                    self.wonder(socket, connection)
                except Draining:
                    drain(socket)
                except OSError:
                    socket.broke()
                else:
                    self.is_pinged = False
                    socket.hear(data)

    def wonder(self, socket: SocketExchange, connection: WebSocketConnection) -> None:
        """A peer that is silent is pinged, or taken for gone."""
        if self.is_pinged or not connection.is_open:
            socket.broke()
        else:
            self.is_pinged = True
            socket.post(connection.ping())


def drain(socket: SocketExchange) -> bool:
    """The server ends, or another worker takes over: the client is told to come again; whether it was."""
    if socket.connection is None or not socket.connection.is_open:
        return False
    socket.close(SERVICE_RESTART, "")
    return True
