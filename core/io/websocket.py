"""A WebSocket on a stream of either stack, for a native handler: its handshake, messages, pings and close.

Owns when something is sent, and who waits how long: for a head, for a sign of life, for the peer's close.
What the bytes mean is `core.http.websocket`'s.

Source: RFC 6455 4.2, 5.5, 7.1.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from gossamer.core.clock import SECOND_US
from gossamer.core.errors import Draining
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Refusal, Request, parse_request
from gossamer.core.http.websocket import (
    DEFAULT_WEBSOCKET_LIMITS,
    INTERNAL_ERROR,
    NORMAL_CLOSURE,
    SERVICE_RESTART,
    BinaryMessage,
    Disconnected,
    TextMessage,
    WebSocketConnection,
    WebSocketEvent,
    WebSocketLimits,
)
from gossamer.core.http.websocket_handshake import accept_offer, read_offer, refuse_handshake
from gossamer.core.io.lingering import LINGER_TIMEOUT_US, linger
from gossamer.core.io.stream import Stream
from gossamer.core.loop.streamcall import said_of
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.current import CURRENT
from gossamer.core.threads.sync.mutex import Mutex

HEAD_SECONDS: Final = 10
"""For the whole head of a handshake."""
PING_AFTER_US: Final = 20 * SECOND_US
"""A peer that is silent for so long is pinged; silent for as long again it is gone."""
CLOSE_SECONDS: Final = 10
"""For a peer's close after ours."""
SEND_TIMEOUT_US: Final = 30 * SECOND_US
LINGER_SECONDS: Final = LINGER_TIMEOUT_US / SECOND_US
RECV_BYTES: Final = 65536


async def accept_websocket(
    stream: Stream,
    *,
    subprotocols: Sequence[str] = (),
    limits: WebSocketLimits = DEFAULT_WEBSOCKET_LIMITS,
) -> "WebSocket | None":
    """Read a request and answer it as a handshake. The subprotocol is the first of ours that is offered.

    None where there was no handshake: whatever else came was answered with an error. Raises: OSError;
    Draining.
    """
    reader = RequestReader(parse_request)
    with move_on_after(HEAD_SECONDS):
        while (request := reader.next_request()) is None:
            data = await stream.recv(RECV_BYTES)
            if not data:
                return None
            reader.receive(data)
    if request is None:
        return None
    offer = read_offer(request) if isinstance(request, Request) else request
    if isinstance(offer, Refusal):
        await stream.send_last(refuse_handshake(offer), SEND_TIMEOUT_US)
        await linger(stream, CURRENT.get().clock)
        return None
    assert isinstance(request, Request)
    subprotocol = next((name for name in subprotocols if name in offer.subprotocols), None)
    head, connection = accept_offer(offer, subprotocol, limits=limits)
    await stream.send(head, SEND_TIMEOUT_US)
    socket = WebSocket(stream, request, subprotocol, connection)
    socket.hear(reader.buffer[reader.at :])
    return socket


class WebSocket:
    """An accepted one: whole messages, text as `str` and all else as `bytes`.

        async with socket:
            async for message in socket:
                await socket.send(message)

    One thread may receive while others send. Pings are answered by whoever receives. When the server drains,
    it is closed with code 1012 ("Service Restart"): messages that are under way still come.

    Bounds: what one recv brings, and a message of `limits`.

    Raises: OSError from every call, as `Stream` does.
    """

    __slots__ = (
        "_connection",
        "_events",
        "_is_pinged",
        "_receiving",
        "_sending",
        "_stream",
        "disconnected",
        "request",
        "subprotocol",
    )

    def __init__(
        self, stream: Stream, request: Request, subprotocol: str | None, connection: WebSocketConnection
    ) -> None:
        self.request: Request = request
        self.subprotocol: str | None = subprotocol
        self.disconnected: Disconnected | None = None
        """How it has ended."""
        self._stream = stream
        self._connection = connection
        self._events: deque[WebSocketEvent] = deque()
        self._is_pinged = False
        self._receiving = Mutex()
        self._sending = Mutex()

    async def receive(self) -> str | bytes | None:
        """The next message; None when the connection has ended, as `disconnected` says."""
        async with self._receiving:
            while self.disconnected is None:
                message = self._next_message()
                if message is not None:
                    return message
                if self.disconnected is None:
                    await self._more()
            return None

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises: BrokenPipeError when it is closing."""
        async with self._sending:
            try:
                if isinstance(message, str):
                    data = self._connection.send_text(message)
                else:
                    data = self._connection.send_binary(message)
            except BrokenPipeError as error:
                raise said_of(self._stream, error) from None
            await self._stream.send(data, SEND_TIMEOUT_US)

    async def close(self, code: int = NORMAL_CLOSURE, reason: str = "") -> None:
        """Close it, and wait for the peer's close, some seconds at most; what still comes is dropped. Twice
        is harmless. Raises: MisuseError for a code or reason that no close may have.
        """
        await self._send_close(code, reason)
        with move_on_after(CLOSE_SECONDS):
            async with self._receiving:
                while self.disconnected is None:
                    if self._next_message() is None and self.disconnected is None:
                        await self._more()
        if self._connection.is_failed:
            await self._linger()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It is closed when the block is left; with code 1011, and without waiting for the peer's, where the
        block fails."""
        if error is None:
            await self.close()
        elif isinstance(error, Exception) and self._connection.is_open:
            with suppress(OSError):  # A peer that has left hides no failure of the block.
                await self._send_close(INTERNAL_ERROR, "")
                await self._linger()

    def __aiter__(self) -> Self:
        """Its messages, until it has ended."""
        return self

    async def __anext__(self) -> str | bytes:
        """The next one."""
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    def hear(self, data: bytes) -> None:
        """What has come behind the handshake already."""
        if data:
            self._events.extend(self._connection.receive(data))

    def _next_message(self) -> str | bytes | None:
        """Of what has come; an event that is no message is taken on the way."""
        while self._events:
            event = self._events.popleft()
            if type(event) is TextMessage:
                return event.text
            if type(event) is BinaryMessage:
                return event.data
            if type(event) is Disconnected:
                self.disconnected = event
        return None

    async def _more(self) -> None:
        """Wait for what comes next, and answer what is to be answered of it."""
        try:
            data = await self._stream.recv(RECV_BYTES, PING_AFTER_US)
        except TimeoutError:
            if self._is_pinged:
                raise
            self._is_pinged = True
            await self._send_ping()
            return
        except Draining:
            await self._send_close(SERVICE_RESTART, "")
            return
        self._is_pinged = False
        self._events.extend(self._connection.receive(data))
        if self._connection.has_unsent:
            async with self._sending:
                answer = self._connection.unsent()
                if answer:
                    await self._stream.send(answer, SEND_TIMEOUT_US)

    async def _send_ping(self) -> None:
        async with self._sending:
            if self._connection.is_open:
                await self._stream.send(self._connection.ping(), SEND_TIMEOUT_US)

    async def _linger(self) -> None:
        """Hear a peer out that may be sending still, so that the close reaches it."""
        with move_on_after(LINGER_SECONDS):  # Another thread may be receiving.
            async with self._receiving:
                await linger(self._stream, CURRENT.get().clock)

    async def _send_close(self, code: int, reason: str) -> None:
        async with self._sending:
            closing = self._connection.close(code, reason)
            if closing:
                await self._stream.send(closing, SEND_TIMEOUT_US)
