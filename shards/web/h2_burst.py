"""A connection of HTTP/2 on the static site: many requests at once, each answered as one of HTTP/1.1 is.

Owns the stream: what has come is heard between two rounds of sending, and in a round each answer sends one
piece, so that no large file keeps the others waiting. What HTTP/2 means is `core.http.h2conversation`'s.

Source: RFC 9113 3.3 (prior knowledge), 5.2, 8.1.
"""

from collections import deque
from typing import Final, Protocol

from gossamer.core.errors import Draining
from gossamer.core.http.client import parse_response
from gossamer.core.http.h2conversation import H2Body, H2Conversation, H2Limits, H2Request, H2Reset
from gossamer.core.http.ranges import ByteRange
from gossamer.core.http.request import Refusal, Request
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import Answer, error_answer
from gossamer.shards.web.burst import BurstSite
from gossamer.shards.web.inbox import LAST_LOOK_US, RECV_BYTES
from gossamer.shards.web.variants import StreamedFile

PIECE_BYTES: Final = 16384
"""Of a large file, read and sent at a time: a frame."""
TOO_OFTEN: Final = Refusal(429, "too many requests from this address")
NOTHING: Final = b""


class H2Site(BurstSite, Protocol):
    """What this asks of the site."""

    is_ending: bool

    def is_too_often(self, stream: Stream) -> bool:
        """Whether a further request of its peer is one too many."""

    async def answer(self, request: Request) -> tuple[Answer, bytes | StreamedFile]:
        """The answer, and what its ranges are taken from."""


class H2Answer:
    """An answer on its way."""

    __slots__ = ("answer", "began_us", "head", "parts", "source")

    def __init__(self, head: bytes, answer: Answer, source: bytes | StreamedFile, began_us: int) -> None:
        self.head = head
        self.answer = answer
        self.source = source
        self.parts = deque(answer.parts)
        self.began_us = began_us

    async def next_piece(self) -> bytes:
        """What is sent next. Raises: OSError, also for a file that has become shorter."""
        part = self.parts.popleft()
        if isinstance(part, bytes):
            return part
        if isinstance(self.source, bytes):
            return self.source[part.start : part.end]
        end = min(part.end, part.start + PIECE_BYTES)
        if end < part.end:
            self.parts.appendleft(ByteRange(end, part.end))
        data = await self.source.file.read(part.start, end - part.start)
        if len(data) < end - part.start:
            raise OSError("the file has become shorter while it was sent")
        return data

    def close(self) -> None:
        """Nothing more is taken from it."""
        if isinstance(self.source, StreamedFile):
            self.source.file.close()


class H2Burst:
    """One connection, to its end. Bounds: those of an `H2Conversation`, and a piece of each answer."""

    def __init__(self, site: H2Site, stream: Stream) -> None:
        self.site = site
        self.stream = stream
        self.conversation = H2Conversation(site.parse, H2Limits(head_bytes_max=site.limits.head_bytes_max))
        self.answers: dict[int, H2Answer] = {}

    async def run(self, data: bytes) -> bool:
        """Serve what begins with `data`; False: the connection ends. Raises: OSError."""
        conversation = self.conversation
        try:
            while not conversation.is_over:
                await self.meet(data)
                data = await self.send_round()
            await self.flush()
        finally:
            for answer in self.answers.values():
                answer.close()
        return False

    async def meet(self, data: bytes) -> None:
        """Take in what came, and begin with what it asks for."""
        if self.site.is_ending:
            self.conversation.end()
        if not data:
            return
        for event in self.conversation.receive(data, self.site.clock()):
            if isinstance(event, H2Request):
                await self.begin(event.stream_id, event.request)
            elif isinstance(event, H2Body):
                self.conversation.taken(event.stream_id, event.window_bytes)  # nobody wants it
            elif isinstance(event, H2Reset):
                self.over(event.stream_id)

    async def begin(self, stream_id: int, request: Request | Refusal) -> None:
        """Find the answer to a request, and give its head. Raises: OSError."""
        site, began_us = self.site, self.site.clock()
        source: bytes | StreamedFile = NOTHING
        head = NOTHING
        if isinstance(request, Request):
            head = head_of(request)
            if site.is_too_often(self.stream):
                request = TOO_OFTEN
        if isinstance(request, Refusal):
            answer = error_answer(request.status, None, site.setting())
        else:
            answer, source = await site.answer(request)
        said = parse_response(answer.head)
        fields = [(name, value) for name, value in said.fields if name not in ("connection", "keep-alive")]
        self.conversation.respond(stream_id, answer.status, fields, is_last=not answer.parts)
        self.answers[stream_id] = H2Answer(head, answer, source, began_us)
        if not answer.parts:
            self.over(stream_id)

    async def send_round(self) -> bytes:
        """Send a piece of each answer that there is room for; what came meanwhile."""
        conversation = self.conversation
        for stream_id, answer in list(self.answers.items()):
            if conversation.has_room(stream_id) and answer.parts:
                try:
                    piece = await answer.next_piece()
                except OSError:
                    conversation.reset(stream_id)
                    self.over(stream_id)
                    continue
                conversation.send(stream_id, piece, is_last=not answer.parts)
            if not conversation.is_open(stream_id):
                self.over(stream_id)
        await self.flush()
        if any(conversation.has_room(stream_id) for stream_id in self.answers):
            return await self.look()
        return NOTHING if conversation.is_over else await self.wait()

    def over(self, stream_id: int) -> None:
        """An answer is all sent, or wanted no more."""
        answer = self.answers.pop(stream_id, None)
        if answer is not None:
            answer.close()
            status, body_bytes = answer.answer.status, answer.answer.body_bytes
            self.site.note(self.stream, answer.head, status, body_bytes, answer.began_us, answer.answer.user)

    async def flush(self) -> None:
        """Send what is to be sent. Raises: OSError."""
        data = self.conversation.unsent()
        if data:
            await self.stream.send(data, self.site.options.write_timeout_us)

    async def look(self) -> bytes:
        """What has come, without waiting for it."""
        try:
            return await self.stream.recv(RECV_BYTES, LAST_LOOK_US)
        except TimeoutError:
            return NOTHING
        except Draining:
            self.conversation.end()
            return NOTHING

    async def wait(self) -> bytes:
        """Wait for what comes next. Raises: OSError, also for a peer that lets an answer wait too long."""
        options, conversation = self.site.options, self.conversation
        is_idle = not conversation.has_streams
        try:
            data = await self.stream.recv(
                RECV_BYTES, options.keep_alive_timeout_us if is_idle else options.write_timeout_us
            )
        except TimeoutError:
            if not is_idle:
                raise
            conversation.end()
            return NOTHING
        except Draining:
            conversation.end()
            return NOTHING
        if not data:
            conversation.receive(NOTHING, self.site.clock())
        return data


async def speaks(site: H2Site, stream: Stream, data: bytes) -> bool:
    """Serve a connection that begins with `data`; False: it ends. Raises: OSError."""
    return await H2Burst(site, stream).run(data)


def head_of(request: Request) -> bytes:
    """A request as the access log shows it."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in request.fields])
    return f"{request.method} {request.target} HTTP/2.0\r\n{lines}\r\n".encode("latin-1")
