"""One request and its response, as the application sees them: what `receive` and `send` do.

Owns the order of messages on both sides, and what waits to be sent: at most HELD_BYTES_MAX, beyond which
`send` waits until the stream has taken it. It is asked by the application, within a task, and by the
connection's thread, which alone reads and writes the stream: each wakes the other.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format" 2.5.
"""

import asyncio
import errno
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from gossamer.core.http.outgoing import Framing, OutgoingBody, OutgoingError, Requested
from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.response import CONTINUE
from gossamer.core.threads.calls import Park
from gossamer.shards.asgi.file_range import FileRange, range_of_file, range_of_path
from gossamer.shards.asgi.messages import (
    COMPLETE,
    FIRST_BODY,
    HTTP_RULES,
    RESPONSE,
    BodyPart,
    FilePart,
    Hint,
    Message,
    MessageError,
    PathPart,
    Stage,
    Start,
    Trailers,
    next_stage,
    taken,
)
from gossamer.shards.web.inbox import Inbox

HELD_BYTES_MAX: Final = 65536
"""What waits to be sent before `send` waits too."""

HINTS_HEAD: Final = b"HTTP/1.1 103 Early Hints\r\n"
DISCONNECT: Final = "http.disconnect"


class ClientLeftError(ConnectionResetError):
    """The client has left: nothing that is sent reaches anybody."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client has left")


Piece = bytes | FileRange
Waiting = tuple["asyncio.Future[None]", ...]


class WholeHead(NamedTuple):
    """The head of a whole response, for the rest of this second."""

    start: Start
    """Whose it is: a number of another may come again once that is forgotten."""
    head: bytes
    body: OutgoingBody
    """As it is once all of it was sent."""


class ExchangeOwner(Protocol):
    """What an exchange asks of who serves the application."""

    is_ending: bool
    """Whether every response closes its connection."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """asyncio's, in which the application runs."""

    def own_lines(self, *, has_date: bool, has_server: bool) -> bytes:
        """The fields that every response has, but for those that this one says itself."""

    def whole_head(self, start: Start, count: int) -> WholeHead | None:
        """The head of the response to a plain request whose body is of so many bytes, all of them at once;
        None where it is not as that of others in this second."""


class Exchange:
    """One request and its response. Bounds: HELD_BYTES_MAX and one message."""

    # Most exchanges are over before most of these have another value: so they stand in the class, and only
    # what has changed is the exchange's own.
    stage: Stage = RESPONSE
    start: Start | None = None
    body: OutgoingBody | None = None
    """Once the head has been put out."""
    held_bytes = 0
    """What is in `out`, and what the stream has not taken of what was."""
    request_is_told = False
    """Whether the application has had the last of the request's body."""
    refusal: Refusal | None = None
    """What was wrong with the request's body."""
    has_left = False
    """Whether the client has closed its side: it may still read."""
    is_broken = False
    """Whether nothing can be sent any more."""
    is_cut = False
    """Whether the response cannot be completed."""
    has_ended = False
    """Whether the application has returned, or failed."""
    began_us = 0
    """When its head was there."""
    task: "asyncio.Task[None] | None" = None
    """The application's, where it has not ended in its first step."""
    trailers = b""
    readers: Waiting = ()
    """Of the application: who waits to receive."""
    writers: Waiting = ()
    parked: "deque[Callable[[None], None]] | None" = None
    """The connection's thread, where it waits for what happens here."""

    def __init__(
        self, owner: ExchangeOwner, request: Request, inbox: Inbox | None, *, is_plain: bool = False
    ) -> None:
        """`inbox` is where its body comes from; None where it has none. Is it plain, then a whole response to
        it is much as others are."""
        self.is_plain = is_plain
        self.owner = owner
        self.request = request
        self.inbox = inbox
        self.needs_continue = request.section.expects_continue
        self.out: list[Piece] = []
        """What is to be sent."""

    # What the application calls.

    async def receive(self) -> dict[str, Any]:
        """The next message for the application."""
        while (message := self.next_message()) is None:
            future = self.owner.loop.create_future()
            self.readers = (*self.readers, future)
            self.wake()
            await future
        return message

    async def send(self, message: Message) -> None:
        """Take a message of the application's. Raises: MessageError; ClientLeftError once the client has."""
        if self.is_broken:
            raise ClientLeftError
        stage, start = self.stage, self.start
        part = taken(HTTP_RULES, stage, message)
        if type(part) is Start:
            self.start, self.stage = part, FIRST_BODY
            return
        if self.is_plain and type(part) is BodyPart and part.is_last and self.body is None:
            known = self.owner.whole_head(start, len(part.data))  # type: ignore[arg-type]  # it has started
            if known is not None:
                self.body = known.body
                self.out.append(known.head + part.data)
                self.stage = COMPLETE
                if self.parked:
                    self.wake()
                return
        self.put(part)
        self.stage = next_stage(stage, part, has_trailers=start is not None and start.has_trailers)
        self.wake()
        while self.held_bytes > HELD_BYTES_MAX and not self.is_broken:
            future = self.owner.loop.create_future()
            self.writers = (*self.writers, future)
            self.wake()
            await future

    # Messages to the application.

    def next_message(self) -> dict[str, Any] | None:
        """The next message that can be told now."""
        if self.is_deaf or self.stage is COMPLETE:
            return {"type": DISCONNECT}
        if self.request_is_told:
            return None
        inbox = self.inbox
        if inbox is None:
            self.request_is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        data = inbox.reader.next_body()
        if data is None:
            self.ask_for_body()
            return None
        if isinstance(data, Refusal):
            self.refusal = data
            return {"type": DISCONNECT}
        self.needs_continue = False
        inbox.body_bytes_total += len(data)
        body = inbox.reader.body
        self.request_is_told = body is None or body.is_complete
        return {"type": "http.request", "body": data, "more_body": not self.request_is_told}

    def ask_for_body(self) -> None:
        """The client waits for 100 (Continue), unless it has sent some of its body, or been answered.

        RFC 9110 10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already received some
        or all of the content for the corresponding request".
        """
        if self.needs_continue and self.body is None:
            self.needs_continue = False
            if self.inbox is not None and not self.inbox.reader.has_input:
                self.post(CONTINUE)

    # Messages of the application.

    def put(self, part: object) -> None:
        """Put out what a message means. Raises: MessageError, where that cannot be sent."""
        try:
            if isinstance(part, BodyPart):
                self.put_body(part)
            elif isinstance(part, FilePart):
                self.put_range(range_of_file(part), is_last=self.is_end(part.is_last))
            elif isinstance(part, PathPart):
                self.put_range(range_of_path(part), is_last=self.is_end(is_last=True))
            elif isinstance(part, Trailers):
                self.put_trailers(part)
            elif isinstance(part, Hint) and self.request.minor:  # HTTP/1.0 knows no 1xx
                self.post(HINTS_HEAD + part.lines + b"\r\n")
        except OutgoingError as error:
            if self.body is None:
                # Nothing of the response is out: the application may begin another.
                self.stage, self.start = RESPONSE, None
            else:
                self.is_cut = True
                self.wake()
            raise MessageError(f"send: {error}") from None

    def put_head(self, whole_bytes: int | None) -> OutgoingBody:
        """Put out the head, now that the first of the body is there."""
        start, request = self.start, self.request
        assert start is not None
        fields = start.fields
        keep_alive = request.keep_alive and not self.owner.is_ending and not self.needs_continue
        asked = Requested(request.method, request.minor, keep_alive)
        body = OutgoingBody(asked, start.status, fields, None if start.has_trailers else whole_bytes)
        own = self.owner.own_lines(has_date=fields.has_date, has_server=fields.has_server)
        self.post(body.head(start.status, fields, own, request.minor))
        return body

    def begin_waiting(self) -> None:
        """The application waits. Where it has started its response, the head goes now: whoever waits for
        events is told that they will come."""
        if self.start is not None and self.body is None:
            self.body = self.put_head(None)

    def put_body(self, part: BodyPart) -> None:
        """http.response.body"""
        data = part.data
        before, behind = self.around(len(data), is_last=self.is_end(part.is_last))
        assert self.body is not None
        if behind:
            self.post(before + data + behind)
        elif data and self.body.framing is not Framing.NONE:
            self.post(data)

    def around(self, count: int, *, is_last: bool) -> tuple[bytes, bytes]:
        """What stands around the next bytes of the body; the head is put out before the first. Raises:
        OutgoingError."""
        body = self.body
        if body is not None:
            return body.around(count, is_last=is_last)
        body = self.put_head(count if is_last else None)
        try:
            around = body.around(count, is_last=is_last)
        except OutgoingError:
            # Nothing has left meanwhile: the head is the last of what waits.
            self.held_bytes -= len(self.out.pop())  # type: ignore[arg-type]  # it is bytes
            raise
        self.body = body
        return around

    def is_end(self, is_last: bool) -> bool:
        """Whether the last of the body ends the response too."""
        assert self.start is not None
        return is_last and not self.start.has_trailers

    def put_range(self, wanted: FileRange, *, is_last: bool) -> None:
        """Put out octets of a file. Raises: OutgoingError, and its descriptor is closed."""
        count = wanted.part.length
        try:
            before, behind = self.around(count, is_last=is_last)
        except OutgoingError:
            os.close(wanted.fd)
            raise
        if before:
            self.post(before)
        assert self.body is not None
        if self.body.framing is Framing.NONE or not count:
            os.close(wanted.fd)
        else:
            self.out.append(wanted)
            self.held_bytes += count
        if behind:
            self.post(behind)

    def put_trailers(self, part: Trailers) -> None:
        """http.response.trailers: all of them leave with the last."""
        assert self.body is not None
        self.trailers += part.lines
        if len(self.trailers) > HELD_BYTES_MAX:
            raise OutgoingError(f"found more than {HELD_BYTES_MAX} bytes of trailers; allowed: fewer")
        if part.is_last and (end := self.body.trailers(self.trailers)):
            self.post(end)

    # What waits.

    def post(self, data: bytes) -> None:
        """Put bytes behind what waits to be sent."""
        self.out.append(data)
        self.held_bytes += len(data)

    def wake(self) -> None:
        """Have the connection's thread look, where it waits."""
        if self.parked:
            self.parked.popleft()(None)

    def park(self) -> Park[None]:
        """What the connection's thread awaits until something happens here."""
        if self.parked is None:
            self.parked = deque()
        return Park(self.parked)

    @property
    def waits_for_body(self) -> bool:
        """Whether the application waits for more of the request's body."""
        return bool(self.readers) and not self.request_is_told

    # What the connection's thread says.

    @property
    def is_over(self) -> bool:
        """Whether nothing more of the application concerns the connection."""
        return self.stage is COMPLETE or self.has_ended or self.is_cut or self.is_broken

    @property
    def is_deaf(self) -> bool:
        """Whether nothing can be received any more."""
        return self.has_left or self.is_broken or self.refusal is not None

    @property
    def is_whole(self) -> bool:
        """Whether all of the response was put out."""
        return self.stage is COMPLETE and not self.is_cut

    def came(self) -> None:
        """There may be something to receive."""
        self.readers = released(self.readers)

    def went(self, count: int) -> None:
        """The stream has taken so many bytes."""
        self.held_bytes -= count
        self.writers = released(self.writers)

    def left(self) -> None:
        """The client has closed its side."""
        self.has_left = True
        self.readers = released(self.readers)

    def broke(self) -> None:
        """Nothing can be sent any more."""
        self.is_broken = True
        self.drop()
        self.readers = released(self.readers)
        self.writers = released(self.writers)

    def drop(self) -> None:
        """What waits is not sent; its files are closed."""
        for piece in self.out:
            if isinstance(piece, FileRange):
                os.close(piece.fd)
        self.out.clear()


def released(waiting: Waiting) -> Waiting:
    """Have all who wait look again; nobody waits then."""
    for future in waiting:
        if not future.done():
            future.set_result(None)
    return ()
