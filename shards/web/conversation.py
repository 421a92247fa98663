"""A burst of requests for files: everything that is not the hot path.

Owns how the static site answers one request of a `burst`: what is known already, bodies that nobody wants,
early hints, whole answers and those that are sent out of a large file.

Source: RFC 9112 9.
"""

from typing import Final, Protocol

from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.response import CONTINUE
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import ALLOWED_METHODS, Answer
from gossamer.shards.web.burst import Burst, BurstSite, whole_response
from gossamer.shards.web.file_names import FileNames
from gossamer.shards.web.request_rate import RequestRates
from gossamer.shards.web.streaming import Noted, StreamedAnswer, send_range
from gossamer.shards.web.variants import StreamedFile

HOT_STATUSES: Final = (200, 206, 304)
"""Answers that are the same for the same bytes of a request within one second."""


class Site(BurstSite, Protocol):
    """What a conversation asks of the site."""

    has_hints: bool
    streaming: "dict[Stream, Conversation]"
    """Those that are sending a large file."""
    names: FileNames
    rates: RequestRates | None
    looked_us: int
    """When `take_hot` was last called."""

    def is_too_often(self, stream: Stream) -> bool:
        """Whether a further request of its peer is one too many; counted where there are rates."""

    def early_hints(self, request: Request) -> bytes:
        """What can be said before the answer is known."""

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


class Conversation(Burst):
    """One burst of the static site."""

    __slots__ = ("streamed",)

    site: Site

    def __init__(self, site: Site, stream: Stream) -> None:
        super().__init__(site, stream)
        self.streamed: StreamedAnswer | None = None
        """The answer that is being sent out of a large file."""

    async def go_on(self, streamed: StreamedAnswer, unread: bytes) -> bool:
        """Send what is left of an answer that began elsewhere, then answer what was read there; whether the
        connection lives on, idle. Raises: OSError, PeerLeftError.
        """
        if unread:
            self.inbox.reader.receive(unread)
        await self.stream_answer(streamed)
        return await self.finish(lives_on=streamed.keep_alive)

    async def exchange(self, head: bytes) -> bool:
        """Answer one request; whether another may follow."""
        if self.site.rates is not None and self.site.is_too_often(self.stream):
            return self.refuse(Refusal(429, "too many requests from this address"), head)
        ready = self.site.take_hot(self.stream, head)
        if ready is not None:
            self.post(ready, self.site.looked_us)
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
        self.post(response, began_us)
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
            self.end_answer(streamed.noted.began_us)
        finally:
            streamed.file.close()
            if self.site.streaming.pop(self.stream, None) is not None:
                noted = streamed.noted
                self.site.note(
                    self.stream, noted.head, noted.status, noted.body_bytes, noted.began_us, noted.user
                )
