"""One WebSocket, as the application sees it: what `receive` and `send` do.

Owns the order of messages on both sides, what waits to be sent, and what has come and was not received yet.
It is asked by the application, within a task, and by the connection's threads, which alone read and write the
stream.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format" 2.5, "WebSocket"; RFC 6455.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.errors import MisuseError
from gossamer.core.http.outgoing import OutgoingBody, OutgoingError, Requested
from gossamer.core.http.websocket import (
    ABNORMAL_CLOSURE,
    INTERNAL_ERROR,
    NORMAL_CLOSURE,
    BinaryMessage,
    Disconnected,
    TextMessage,
    WebSocketConnection,
    WebSocketEvent,
)
from gossamer.core.http.websocket_handshake import WebSocketOffer, accept_offer
from gossamer.core.threads.calls import Park
from gossamer.shards.asgi.exchange import (
    HELD_BYTES_MAX,
    ClientLeftError,
    ExchangeOwner,
    Waiting,
    released,
)
from gossamer.shards.asgi.messages import BodyPart, Message, MessageError, Stage, Start
from gossamer.shards.asgi.websocket_messages import (
    Accept,
    BinaryPart,
    CloseCall,
    SocketPart,
    TextPart,
    stage_after,
    taken_of_socket,
)

EVENTS_MAX: Final = 64
"""Messages that wait to be received before no more are read."""
LAST: Final = Requested("GET", 1, keep_alive=False)
REFUSED: Final = 403
"""RFC: ASGI, "Close": a close before the accept is answered so."""


class SocketExchange:
    """One WebSocket. Bounds: HELD_BYTES_MAX and one message to be sent; EVENTS_MAX, and what one recv brings,
    to be received."""

    def __init__(self, owner: ExchangeOwner, offer: WebSocketOffer, common: list[tuple[str, str]]) -> None:
        """`common` are the fields that every response has."""
        self.owner = owner
        self.offer = offer
        self.common = common
        self.stage = Stage.HANDSHAKE
        self.connection: WebSocketConnection | None = None
        """Once it was accepted."""
        self.denial: OutgoingBody | None = None
        self.start: Start | None = None
        self.task: asyncio.Task[None] | None = None
        """The application's, where it has not ended in its first step."""
        self.status = 101
        """What its handshake is answered with."""
        self.out: list[bytes] = []
        self.held_bytes = 0
        self.events: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self.held_event_bytes = 0
        self.disconnect: dict[str, Any] | None = None
        """What `receive` says from then on, once all that came before was received."""
        self.has_closed = False
        """Whether the application has said so."""
        self.is_broken = False
        """Whether nothing can be sent any more."""
        self.has_ended = False
        """Whether the application has returned, or failed."""
        self.readers: Waiting = ()
        self.writers: Waiting = ()
        self.parked: deque[Callable[[None], None]] = deque()
        """The connection's thread that sends, where it waits for what happens here."""
        self.hasten: Callable[[], None] | None = None
        """Says that there is something to be sent, once it is sent by no thread."""
        self.without_room: deque[Callable[[None], None]] = deque()
        """The one that reads, where it waits until more may be read."""

    # What the application calls.

    async def receive(self) -> dict[str, Any]:
        """The next message for the application."""
        while not self.events:
            if self.disconnect is not None:
                return self.disconnect
            self.readers = (*self.readers, future := self.owner.loop.create_future())
            await future
        event = self.events.popleft()
        if self.events:
            self.held_event_bytes -= weight_of(event)
        else:
            self.held_event_bytes = 0
        if self.without_room:
            self.without_room.popleft()(None)
        return event

    async def send(self, message: Message) -> None:
        """Take a message of the application's. Raises: MessageError; ClientLeftError once the client has."""
        if self.is_broken or (self.disconnect is not None and not self.has_closed):
            raise ClientLeftError
        part = taken_of_socket(self.stage, message)
        if isinstance(part, (TextPart, BinaryPart)):
            self.put_message(part)
        else:
            self.put(part)
            self.stage = stage_after(self.stage, part)
        while self.held_bytes > HELD_BYTES_MAX and not self.is_broken:
            self.writers = (*self.writers, future := self.owner.loop.create_future())
            await future

    # Messages of the application.

    def put_message(self, part: TextPart | BinaryPart) -> None:
        """Put out a message for the peer. Raises: MessageError, ClientLeftError."""
        connection = self.connection
        assert connection is not None  # it is accepted
        try:
            if isinstance(part, TextPart):
                self.post(connection.send_text(part.text))
            else:
                self.post(connection.send_binary(part.data))
        except UnicodeEncodeError as error:
            raise MessageError(f"send: {error}") from None
        except BrokenPipeError:
            raise ClientLeftError from None

    def put(self, part: SocketPart) -> None:
        """Put out what any other message means. Raises: MessageError, ClientLeftError."""
        self.has_closed |= isinstance(part, CloseCall)
        try:
            if isinstance(part, Accept):
                head, self.connection = accept_offer(
                    self.offer, part.subprotocol, [*self.common, *part.fields]
                )
                self.post(head)
            elif isinstance(part, Start):
                self.start, self.status = part, part.status
            elif isinstance(part, BodyPart):
                self.put_denial(part)
            elif self.connection is None:
                assert isinstance(part, CloseCall)
                self.deny(REFUSED)
            elif isinstance(part, CloseCall):
                self.close(part.code, part.reason)
        except (MisuseError, OutgoingError) as error:
            raise MessageError(f"send: {error}") from None

    def put_denial(self, part: BodyPart) -> None:
        """websocket.http.response.body"""
        start = self.start
        assert start is not None
        if self.denial is None:
            whole = len(part.data) if part.is_last else None
            denial = OutgoingBody(LAST, start.status, start.fields, whole)
            framed = denial.frame(part.data, is_last=part.is_last)
            own = self.owner.own_lines(has_date=start.fields.has_date, has_server=start.fields.has_server)
            self.post(denial.head(start.status, start.fields, own, 1))
            self.denial = denial
        else:
            framed = self.denial.frame(part.data, is_last=part.is_last)
        self.post(framed)
        if part.is_last:
            self.has_closed = True
            self.leave(ABNORMAL_CLOSURE, "")

    def deny(self, status: int) -> None:
        """The handshake is refused by whoever has the stream."""
        self.status = status
        self.stage = Stage.CLOSED
        self.leave(ABNORMAL_CLOSURE, "")

    def close(self, code: int, reason: str) -> None:
        """Begin to close an open one; the application hears of no message any more."""
        assert self.connection is not None
        if self.connection.is_open:
            self.post(self.connection.close(code, reason))
        self.stage = Stage.CLOSED
        self.leave(code, reason)

    def post(self, data: bytes) -> None:
        """Put bytes behind what waits to be sent."""
        if data:
            self.out.append(data)
            self.held_bytes += len(data)
            if self.hasten is not None:
                if len(self.out) == 1:
                    self.hasten()
            elif self.parked:
                self.parked.popleft()(None)

    # What the connection's threads say.

    @property
    def has_room(self) -> bool:
        """Whether more may be read."""
        return len(self.events) < EVENTS_MAX and self.held_event_bytes <= HELD_BYTES_MAX

    def hear(self, data: bytes) -> None:
        """What has come; b"" is the end of the stream."""
        connection = self.connection
        assert connection is not None
        for event in connection.receive(data):
            self.take(event)
        if connection.has_unsent:
            self.post(connection.unsent())
        if self.readers:
            self.readers = released(self.readers)

    def take(self, event: WebSocketEvent) -> None:
        """An event; nothing of what comes behind a close of ours is told."""
        said: str | bytes
        message: dict[str, Any]
        if isinstance(event, TextMessage):
            said = event.text
            message = {"type": "websocket.receive", "bytes": None, "text": said}
        elif isinstance(event, BinaryMessage):
            said = event.data
            message = {"type": "websocket.receive", "bytes": said, "text": None}
        else:
            if isinstance(event, Disconnected):
                self.leave(event.code, event.reason)
            return
        if self.disconnect is None:
            self.events.append(message)
            self.held_event_bytes += len(said)

    def leave(self, code: int, reason: str) -> None:
        """Nothing more will come: the first to say so is heard."""
        if self.disconnect is None:
            self.disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self.readers = released(self.readers)
        self.wake()

    def went(self, count: int) -> None:
        """The stream has taken so many bytes."""
        self.held_bytes -= count
        if self.writers:
            self.writers = released(self.writers)
        if self.disconnect is not None:
            self.wake()

    def broke(self) -> None:
        """Nothing can be sent any more."""
        self.is_broken = True
        self.out.clear()
        self.leave(ABNORMAL_CLOSURE, "")
        self.writers = released(self.writers)

    def give_up(self, status: int) -> None:
        """The application has not answered the handshake, and is not waited for: it is refused so, or, where
        its answer has begun, nothing more of that is sent."""
        if self.denial is None:
            self.deny(status)
        else:
            self.broke()

    def end(self, *, failed: bool) -> None:
        """The application has returned, or failed: what it has left open is closed."""
        self.has_ended = True
        if self.stage is Stage.OPEN and not self.is_broken:
            self.close(INTERNAL_ERROR if failed else NORMAL_CLOSURE, "")
        elif self.stage in (Stage.HANDSHAKE, Stage.DENIAL) and self.denial is None:
            self.deny(500)
        self.wake()

    def wake(self) -> None:
        """Have the connection's threads look, where they wait."""
        for waiting in (self.parked, self.without_room):
            while waiting:
                waiting.popleft()(None)

    def park(self) -> Park[None]:
        """What the thread that sends awaits until something happens here."""
        return Park(self.parked)

    def park_without_room(self) -> Park[None]:
        """What the thread that reads awaits until there is room, or nothing more to read."""
        return Park(self.without_room)


def weight_of(message: dict[str, Any]) -> int:
    """About what it takes of memory."""
    return len(message.get("bytes") or message.get("text") or "")
