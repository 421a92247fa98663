"""A stream of HTTP/2 as a connection of HTTP/1.1 with one request: whoever serves those serves it, a folder,
an application and a native handler alike.

    request's head, body by its length or in chunks  <-  recv
    send  ->  HEADERS, DATA, and trailers as the last HEADERS
    close -> END_STREAM, abort -> RST_STREAM; the peer's RST_STREAM, or its end, is a ConnectionResetError

Owns the two translations and how each side waits: a body's room is given back when it is received, and `send`
waits until the windows have taken what it was given. What goes on the connection is `h2_connection`'s.

Source: RFC 9113 5.1, 5.2, 8.1.
"""

import errno
import os
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Final, Protocol

from gossamer.core.clock import NEVER_US, SECOND_US, Clock
from gossamer.core.http.client import Response, ResponseError, ResponseReader, is_final
from gossamer.core.io.block import StreamBlock, StreamIteration
from gossamer.core.io.stream import Stream
from gossamer.core.loop.streamcall import NOT_RECEIVED_IN_TIME, NOT_SENT_IN_TIME, Idle, said_of
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.sync.waiting import Waker, wait_in
from gossamer.core.threads.waiters import Waiters
from gossamer.core.tls.facts import TlsFacts
from gossamer.core.wire.flow import Address

PIECE_BYTES: Final = 32768
"""Of an answer, given to the windows at a time, and to the connection: others have their turn between two."""
IN_CHUNKS: Final = b"\r\ntransfer-encoding: chunked\r\n\r\n"
NOTHING: Final = b""


class StreamFrames(Protocol):
    """What a stream asks of the frames (`core.http.h2conversation`)."""

    def respond(
        self, stream_id: int, status: int, fields: Iterable[tuple[str, str]], *, is_last: bool = False
    ) -> None:
        """The head of a response."""

    def send(self, stream_id: int, data: bytes, *, is_last: bool) -> None:
        """A piece of its body."""

    def trail(self, stream_id: int, fields: Iterable[tuple[str, str]]) -> None:
        """The fields behind it."""

    def is_held(self, stream_id: int) -> bool:
        """Whether a piece that was given is not all sent."""

    def reset(self, stream_id: int) -> None:
        """It cannot be completed."""

    def refuse(self, stream_id: int) -> None:
        """It was not begun with."""

    def taken(self, stream_id: int, window_bytes: int) -> None:
        """So much of a request's body was taken."""


class Carrier(Protocol):
    """What a stream asks of its connection."""

    stream: Stream
    clock: Clock
    parse: Callable[[bytes], Response]

    @property
    def conversation(self) -> StreamFrames:
        """Its frames."""

    async def flush(self) -> None:
        """Send what was put out. Raises: OSError."""


class H2Stream(StreamBlock, StreamIteration):
    """One stream. Its calls are coroutines, and else as a `Stream`'s; it rests in none of them for good.

    Bounds: of a request's body what the peer's window lets it send, of an answer what one `send` was given.
    """

    __slots__ = (
        "_answer",
        "_came",
        "_carrier",
        "_has_answered",
        "_has_given_room",
        "_head",
        "_is_broken",
        "_is_chunked",
        "_is_done",
        "_method",
        "_readers",
        "_writers",
        "stream_id",
    )

    def __init__(self, carrier: Carrier, stream_id: int, head: bytes) -> None:
        self.stream_id = stream_id
        self._carrier = carrier
        self._head = head
        """Until it is received."""
        self._method = head[: head.index(b" ")].decode("latin-1")
        self._is_chunked = head.endswith(IN_CHUNKS)
        self._came: deque[tuple[bytes, int]] = deque()
        """Of the request's body, framed, with the room that it takes."""
        self._has_given_room = False
        """Whether its peer does not know yet that it may send more."""
        self._answer = ResponseReader(carrier.parse)
        self._has_answered = False
        """Whether the head of the answer has been said, and no interim one alone."""
        self._is_done = False
        """Whether all of the answer has been said."""
        self._is_broken = False
        self._readers: Waiters[Waker] = Waiters()
        self._writers: Waiters[Waker] = Waiters()

    # What it is.

    @property
    def local(self) -> Address:
        """Our socket."""
        return self._carrier.stream.local

    @property
    def peer(self) -> Address:
        """The other side's socket."""
        return self._carrier.stream.peer

    @property
    def tls(self) -> TlsFacts | None:
        """What both ends of TLS have agreed on."""
        return self._carrier.stream.tls

    def options(self) -> Awaitable[Any]:
        """The options of the connection."""
        return self._carrier.stream.options()

    def info(self) -> Awaitable[Any]:
        """The state of the connection."""
        return self._carrier.stream.info()

    # What comes.

    async def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> bytes:
        """The request, then b"" once it is answered. Raises: ConnectionResetError, TimeoutError."""
        deadline_us = self._deadline_us(timeout_us)
        while (data := self._taken(bytes_max)) is None:
            if self._has_given_room:
                self._has_given_room = False
                await self._flush()  # so that more comes; meanwhile it may have
            else:
                await self._wait(self._readers, deadline_us, NOT_RECEIVED_IN_TIME)
        return data

    def recv_idle(self, idle: Idle) -> "RecvIdle":
        """The head; after that there is no request any more."""
        return RecvIdle(self, idle)

    async def next_request(self, idle: Idle) -> bytes:
        """See `recv_idle`."""
        return await self.recv(idle.bytes_max, idle.timeout_us) if self._head else NOTHING

    def _taken(self, bytes_max: int) -> bytes | None:
        """What is received; None where that is nothing yet."""
        if self._head:
            data, self._head = self._head[:bytes_max], self._head[bytes_max:]
            return data
        if self._is_broken:
            raise self._gone()
        if not self._came:
            return NOTHING if self._is_done else None
        data, window_bytes = self._came.popleft()
        if len(data) > bytes_max:
            self._came.appendleft((data[bytes_max:], window_bytes))
            return data[:bytes_max]
        self._carrier.conversation.taken(self.stream_id, window_bytes)
        self._has_given_room = True
        return data

    def feed(self, data: bytes, window_bytes: int, *, has_ended: bool) -> None:
        """More of the request's body has come."""
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else NOTHING
            data += b"0\r\n\r\n" if has_ended else NOTHING
        if data:
            self._came.append((data, window_bytes))
            wake(self._readers)
        else:
            self._carrier.conversation.taken(self.stream_id, window_bytes)

    def drop(self) -> None:
        """Nobody receives what has come."""
        while self._came:
            self._carrier.conversation.taken(self.stream_id, self._came.popleft()[1])

    # What goes.

    async def send(self, data: bytes, timeout_us: int = NEVER_US) -> None:
        """More of the answer; returns once the windows and the connection have taken it. Raises: OSError;
        ResponseError for what is no answer of HTTP/1.1."""
        if self._is_broken:
            raise self._gone()
        if self._is_done:
            raise said_of(self, BrokenPipeError(errno.EPIPE, "the answer is complete"))
        self._answer.receive(data)
        await self._say(self._deadline_us(timeout_us))

    async def send_last(self, data: bytes, timeout_us: int = NEVER_US) -> None:
        """As `send`."""
        await self.send(data, timeout_us)

    async def send_file(self, fd: int, offset: int, length: int, timeout_us: int = NEVER_US) -> int:
        """A part of an open file; returns how much of it there was."""
        at, end = offset, offset + length
        while at < end and (data := os.pread(fd, min(PIECE_BYTES, end - at), at)):
            await self.send(data, timeout_us)
            at += len(data)
        return at - offset

    async def _say(self, deadline_us: int) -> None:
        """Say what has come of the answer."""
        while not self._is_done:
            if not self._has_answered:
                if not self._say_head():
                    break
                continue
            data, body = self._answer.next_body(), self._answer.body
            is_last = body is None or body.is_complete
            if not data and not is_last:
                break
            await self._say_body(data or NOTHING, deadline_us, is_last=is_last)
        await self._flush()

    def _say_head(self) -> bool:
        """Whether the next head was there."""
        answer = self._answer
        response = answer.next_head(self._method)
        if response is None:
            return False
        self._has_answered = is_final(response)
        self._is_done = self._has_answered and answer.body is None
        self._carrier.conversation.respond(
            self.stream_id, response.status, response.fields, is_last=self._is_done
        )
        return True

    async def _say_body(self, data: bytes, deadline_us: int, *, is_last: bool) -> None:
        """A piece of the body, and where it is the last one the trailers."""
        conversation = self._carrier.conversation
        trailers = fields_of(getattr(self._answer.body, "trailers", NOTHING)) if is_last else []
        for at in range(0, max(len(data), 1), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            ends = is_last and at + PIECE_BYTES >= len(data)
            conversation.send(self.stream_id, piece, is_last=ends and not trailers)
            if at + PIECE_BYTES < len(data) or conversation.is_held(self.stream_id):
                await self._flush()
            while conversation.is_held(self.stream_id) and not self._is_broken:
                await self._wait(self._writers, deadline_us, NOT_SENT_IN_TIME)
            if self._is_broken:
                raise self._gone()
        if trailers:
            conversation.trail(self.stream_id, trailers)
        self._is_done = is_last

    async def _flush(self) -> None:
        """Raises: ConnectionResetError where the connection has failed."""
        try:
            await self._carrier.flush()
        except OSError:
            self.broke()
            raise self._gone() from None

    # The end.

    async def shutdown(self) -> None:
        """The answer ends here; what is not complete is reset."""
        if self._is_done or self._is_broken:
            return
        if self._head:
            self._carrier.conversation.refuse(self.stream_id)
            await self.abort()
            return
        self._answer.receive(NOTHING)
        try:
            await self._say(NEVER_US)
        except ResponseError:
            await self.abort()

    async def close(self) -> None:
        """As `shutdown`."""
        await self.shutdown()

    async def abort(self) -> None:
        """Reset the stream, unless it is over."""
        self._carrier.conversation.reset(self.stream_id)
        self.broke()
        try:
            await self._carrier.flush()
        except OSError:
            return  # and the connection has failed

    def broke(self) -> None:
        """The stream is over: its peer has reset it, or the connection has failed."""
        self._is_broken = True
        self.drop()
        wake(self._readers)
        wake(self._writers)

    def look(self) -> None:
        """The windows have opened, perhaps."""
        if self._writers and not self._carrier.conversation.is_held(self.stream_id):
            wake(self._writers)

    def _gone(self) -> OSError:
        return said_of(self, ConnectionResetError(errno.ECONNRESET, "the stream was reset"))

    # Waiting.

    def _deadline_us(self, timeout_us: int) -> int:
        return NEVER_US if timeout_us >= NEVER_US else self._carrier.clock() + timeout_us

    async def _wait(self, waiters: Waiters[Waker], deadline_us: int, late: str) -> None:
        """Raises: TimeoutError."""
        if deadline_us >= NEVER_US:
            await wait_in(waiters, "stream of HTTP/2")
            return
        with move_on_after(max(0, deadline_us - self._carrier.clock()) / SECOND_US) as scope:
            await wait_in(waiters, "stream of HTTP/2")
        if scope.cancelled_caught:
            raise said_of(self, TimeoutError(errno.ETIMEDOUT, late))

    def __repr__(self) -> str:
        return f"<H2Stream {self.stream_id} of {self._carrier.stream!r}>"


class RecvIdle:
    """See `H2Stream.recv_idle`; awaited again and again."""

    __slots__ = ("_idle", "_stream")

    def __init__(self, stream: H2Stream, idle: Idle) -> None:
        self._stream = stream
        self._idle = idle

    def __await__(self) -> Generator[Any, Any, bytes]:
        return self._stream.next_request(self._idle).__await__()


def wake(waiters: Waiters[Waker]) -> None:
    """Have all who wait look again."""
    while waiters:
        waiters.popleft()(None)


def fields_of(lines: bytes) -> list[tuple[str, str]]:
    """The fields of a trailer section, each line of which was judged."""
    pairs = [line.partition(b":") for line in lines.split(b"\r\n")[:-1]]
    return [(name.decode("ascii"), value.strip(b" \t").decode("latin-1")) for name, _, value in pairs]
