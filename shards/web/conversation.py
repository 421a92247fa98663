"""A burst of requests on one connection: everything that is not the hot path.

Owns the order of things on a connection that is not idle: heads and bodies read under their timeouts, answers
joined and sent in order, errors answered, the connection's end. It lives from the first byte of a request
until nothing is left to answer; an idle connection holds none of it.

Source: RFC 9112 9.
"""

from typing import Final, Protocol

import msgspec

from gossamer.core.clock import Clock
from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.ranges import ByteRange
from gossamer.core.http.reader import TLS_HELLO, RequestReader, is_one_head
from gossamer.core.http.request import Refusal, Request, RequestParser
from gossamer.core.http.response import CONTINUE
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import ALLOWED_METHODS, Answer, AnswerSetting, error_answer
from gossamer.shards.web.file_names import FileNames
from gossamer.shards.web.inbox import Inbox
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.request_rate import RequestRates
from gossamer.shards.web.streaming import Noted, StreamedAnswer, send_range
from gossamer.shards.web.variants import StreamedFile

HOT_STATUSES: Final = (200, 206, 304)
"""Answers that are the same for the same bytes of a request within one second."""


class Site(Protocol):
    """What a conversation asks of the site."""

    options: WebOptions
    limits: MessageLimits
    parse: RequestParser
    clock: Clock
    is_draining: bool
    has_hints: bool
    streaming: "dict[Stream, Conversation]"
    """Those that are sending a large file."""
    names: FileNames
    rates: RequestRates | None

    def is_too_often(self, stream: Stream) -> bool:
        """Whether a further request of its peer is one too many; counted where there are rates."""

    def early_hints(self, request: Request) -> bytes:
        """What can be said before the answer is known."""

    def setting(self) -> AnswerSetting:
        """What answers have in common now."""

    async def answer(self, request: Request) -> tuple[Answer, bytes | StreamedFile]:
        """The answer, and what its ranges are taken from."""

    def keep_hot(
        self,
        head: bytes,
        response: bytes,
        status: int,
        body_bytes: int,
        *,
        is_last: bool = False,
        user: str = "",
    ) -> None:
        """Remember a whole response for the rest of this second."""

    def take_hot(self, stream: Stream, head: bytes) -> bytes | None:
        """The whole response to these bytes, if it is known within this second; counted and logged."""

    def is_last(self, head: bytes) -> bool:
        """Whether the connection ends with the hot response to these bytes."""

    def note(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, began_us: int, user: str = ""
    ) -> None:
        """Count a response, and log it with the time since its head was there."""

    def note_tls(self, stream: Stream) -> bytes:
        """A TLS hello has come; what stands in the access log for its request line."""


class Conversation:
    """One burst. Bounds: pipeline_bytes_max of joined answers, head_bytes_max of input.

    Most bursts are one head that came whole; only where there is more to read, there is an inbox.
    """

    __slots__ = ("is_refused", "opened_inbox", "outbox", "outbox_bytes", "site", "stream", "streamed")

    def __init__(self, site: Site, stream: Stream) -> None:
        self.site = site
        self.stream = stream
        self.opened_inbox: Inbox | None = None
        self.outbox: list[bytes] = []
        self.outbox_bytes = 0
        self.is_refused = False
        self.streamed: StreamedAnswer | None = None
        """The answer that is being sent out of a large file."""

    @property
    def inbox(self) -> Inbox:
        """What is read beyond one whole head."""
        if self.opened_inbox is None:
            site = self.site
            reader = RequestReader(site.parse, site.limits)
            self.opened_inbox = Inbox(self.stream, reader, site.options, site.clock)
        return self.opened_inbox

    async def run(self, data: bytes) -> bool:
        """Answer what begins with `data`; whether the connection lives on, idle.

        Raises: OSError, PeerLeftError.
        """
        lives_on = True
        if is_one_head(data, self.site.limits):
            lives_on = await self.exchange(data)
        else:
            self.inbox.reader.receive(data)
        return await self.finish(lives_on=lives_on)

    async def go_on(self, streamed: StreamedAnswer, unread: bytes) -> bool:
        """Send what is left of an answer that began elsewhere, then answer what was read there; whether the
        connection lives on, idle. Raises: OSError, PeerLeftError.
        """
        if unread:
            self.inbox.reader.receive(unread)
        await self.stream_answer(streamed)
        return await self.finish(lives_on=streamed.keep_alive)

    async def finish(self, *, lives_on: bool) -> bool:
        """Answer what else has come, and send it all."""
        if lives_on and self.opened_inbox is not None:
            lives_on = await self.talk()
        if self.outbox:
            await self.flush()
        if not lives_on and (self.is_refused or self.has_input):
            await self.inbox.linger()
        return lives_on and not self.site.is_draining

    @property
    def has_input(self) -> bool:
        """Whether bytes have come that nobody has looked at."""
        return self.opened_inbox is not None and self.opened_inbox.reader.has_input

    async def talk(self) -> bool:
        """Answer requests in order until none is left; whether another may come."""
        reader = self.inbox.reader
        while reader.has_input:
            head = reader.next_head()
            if isinstance(head, bytes):
                if not await self.exchange(head):
                    return False
                self.inbox.begin_head()
                if self.outbox_bytes >= self.site.options.pipeline_bytes_max:
                    await self.flush()
            elif head is not None:
                return self.refuse(head, self.site.note_tls(self.stream) if head is TLS_HELLO else b"")
            elif reader.has_input:
                await self.flush()
                late = await self.inbox.more_of_head()
                if late is not None:
                    return self.refuse(late, b"")
        return True

    async def exchange(self, head: bytes) -> bool:
        """Answer one request; whether another may follow."""
        if self.site.rates is not None and self.site.is_too_often(self.stream):
            return self.refuse(Refusal(429, "too many requests from this address"), head)
        ready = self.site.take_hot(self.stream, head)
        if ready is not None:
            self.post(ready)
            return not self.site.is_last(head)
        began_us = self.site.clock()
        request = self.site.parse(head)
        if isinstance(request, Refusal):
            return self.refuse(request, head)
        if request.has_body:
            refusal = await self.discard_body(request)
            if refusal is not None:
                return self.refuse(refusal, head)
        if self.site.has_hints:
            await self.hint(request)
        answer, source = await self.site.answer(request)
        body_bytes = answer.body_bytes
        if isinstance(source, StreamedFile):
            self.post(answer.head)
            noted = Noted(head, answer.status, body_bytes, began_us, answer.user)
            await self.stream_answer(
                StreamedAnswer(source.file, source.name, answer.parts, noted, keep_alive=answer.keep_alive)
            )
            return answer.keep_alive
        self.site.note(self.stream, head, answer.status, body_bytes, began_us, answer.user)
        response = whole_response(answer, source)
        self.post(response)
        if answer.status in HOT_STATUSES and not request.has_body:
            self.site.keep_hot(
                *(head, response, answer.status, body_bytes), is_last=not answer.keep_alive, user=answer.user
            )
        return answer.keep_alive

    async def hint(self, request: Request) -> None:
        """Send what can be said before the answer is known."""
        hints = self.site.early_hints(request)
        if hints:
            self.post(hints)
            await self.flush()

    async def discard_body(self, request: Request) -> Refusal | None:
        """Read and drop a body that nobody wants, within bounds of size, time and rate."""
        body_bytes_max = self.site.options.body_discard_bytes_max
        is_allowed = request.method in ALLOWED_METHODS
        refused = Refusal(413 if is_allowed else 405, "body not wanted")
        unreadable = self.inbox.reader.expect_body(request)
        if unreadable is not None:
            return unreadable
        if request.body_bytes > body_bytes_max or (request.expects_continue and not is_allowed):
            return refused
        if request.expects_continue and not self.has_input:
            # RFC 9110 10.1.1: "A server MAY omit sending a 100 (Continue) response if it has already received
            # some or all of the content".
            self.post(CONTINUE)
        await self.flush()  # Nobody waits for an answer because somebody's next body is slow.
        self.inbox.await_body()
        while self.inbox.body_bytes_total <= body_bytes_max:
            data = await self.inbox.next_body()
            if isinstance(data, Refusal):
                return data
            if not data:
                return None
        return refused

    async def stream_answer(self, streamed: StreamedAnswer) -> None:
        """Send an answer whose ranges come from an open file, and close the file; then it is counted and
        logged, unless it goes on elsewhere: whoever has that done takes us out of `site.streaming`.
        """
        self.streamed = streamed
        self.site.names.remember(streamed.file.status, streamed.name)
        self.site.streaming[self.stream] = self
        try:
            while streamed.parts:
                part = streamed.parts.popleft()
                if isinstance(part, bytes):
                    self.post(part)
                    continue
                goes_on = streamed.begin(part)
                await self.flush()
                await send_range(self.stream, streamed.file, part, self.site.options, goes_on)
        finally:
            streamed.file.close()
            if self.site.streaming.pop(self.stream, None) is not None:
                noted = streamed.noted
                self.site.note(
                    self.stream, noted.head, noted.status, noted.body_bytes, noted.began_us, noted.user
                )

    @property
    def unread(self) -> bytes:
        """What was read and belongs to no request that is answered."""
        inbox = self.opened_inbox
        return b"" if inbox is None else inbox.reader.buffer[inbox.reader.at :]

    def post(self, data: bytes) -> None:
        """Put bytes behind the answers that wait to be sent."""
        self.outbox.append(data)
        self.outbox_bytes += len(data)

    async def flush(self) -> None:
        """Send what waits, in one piece."""
        if not self.outbox:
            return
        data = self.outbox[0] if len(self.outbox) == 1 else b"".join(self.outbox)
        self.outbox.clear()
        self.outbox_bytes = 0
        await self.stream.send(data, self.site.options.write_timeout_us)

    def refuse(self, refusal: Refusal, head: bytes) -> bool:
        """Answer with an error after which nothing is read any more: False, the connection ends."""
        self.is_refused = True
        answer = error_answer(refusal.status, None, self.site.setting())
        if head.startswith(b"HEAD "):
            answer = msgspec.structs.replace(answer, parts=())
        self.post(whole_response(answer, b""))
        self.site.note(self.stream, head, answer.status, answer.body_bytes, self.site.clock())
        return False


def whole_response(answer: Answer, body: bytes) -> bytes:
    """Head and parts as one bytes object."""
    parts = [body[part.start : part.end] if isinstance(part, ByteRange) else part for part in answer.parts]
    return b"".join([answer.head, *parts])
