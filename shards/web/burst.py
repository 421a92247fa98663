"""A burst of requests on one connection: heads in their order, answers joined, refusals, the end.

Owns what is the same whoever answers: the static site (`conversation`) and an application (`shards.asgi`) are
each one `exchange` of it. It lives from the first byte of a request until nothing is left to answer; an idle
connection holds none of it.

Source: RFC 9112 9.
"""

from typing import Final, Protocol

import msgspec

from gossamer.core.clock import Clock
from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.ranges import ByteRange
from gossamer.core.http.reader import TLS_HELLO, RequestReader, is_one_head
from gossamer.core.http.request import Refusal, RequestParser
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import Answer, AnswerSetting, error_answer
from gossamer.shards.web.inbox import Inbox
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.response_times import ResponseTimes

NOT_THE_END: Final = -1
"""When the request came whose answer goes on."""


class BurstSite(Protocol):
    """What a burst asks of whoever answers."""

    options: WebOptions
    limits: MessageLimits
    parse: RequestParser
    clock: Clock
    is_draining: bool
    times: ResponseTimes

    def setting(self) -> AnswerSetting:
        """What answers have in common now."""

    def note(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, began_us: int, user: str = ""
    ) -> None:
        """Count a response, and log it with the time since its head was there."""

    def note_tls(self, stream: Stream) -> bytes:
        """A TLS hello has come; what stands in the access log for its request line."""


class Burst:
    """One burst. Bounds: pipeline_bytes_max of joined answers, head_bytes_max of input.

    Most bursts are one head that came whole; only where there is more to read, there is an inbox.
    """

    __slots__ = ("began", "is_refused", "opened_inbox", "outbox", "outbox_bytes", "site", "stream")

    site: BurstSite

    def __init__(self, site: BurstSite, stream: Stream) -> None:
        self.site = site
        self.stream: Stream = stream
        self.opened_inbox: Inbox | None = None
        self.outbox: list[bytes] = []
        self.outbox_bytes: int = 0
        self.began: list[int] = []
        """When the requests came whose answers end in the outbox."""
        self.is_refused: bool = False

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

    async def exchange(self, head: bytes) -> bool:
        """Answer one request; whether another may follow."""
        raise NotImplementedError

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

    @property
    def unread(self) -> bytes:
        """What was read and belongs to no request that is answered."""
        inbox = self.opened_inbox
        return b"" if inbox is None else inbox.reader.buffer[inbox.reader.at :]

    def post(self, data: bytes, began_us: int = NOT_THE_END) -> None:
        """Put bytes behind the answers that wait to be sent; where they end one, with when its request
        came."""
        self.outbox.append(data)
        self.outbox_bytes += len(data)
        if began_us != NOT_THE_END:
            self.began.append(began_us)

    async def flush(self) -> None:
        """Send what waits, in one piece."""
        if not self.outbox:
            return
        data = self.outbox[0] if len(self.outbox) == 1 else b"".join(self.outbox)
        self.outbox.clear()
        self.outbox_bytes = 0
        await self.stream.send(data, self.site.options.write_timeout_us)
        self.record_answered()

    def end_answer(self, began_us: int) -> None:
        """An answer to what came then ends with what waits, or, where nothing does, has been sent."""
        self.began.append(began_us)
        if not self.outbox:
            self.record_answered()

    def record_answered(self) -> None:
        """All that was posted has been sent."""
        for began_us in self.began:
            self.site.times.record_since(began_us)
        self.began.clear()

    def refuse(self, refusal: Refusal, head: bytes) -> bool:
        """Answer with an error after which nothing is read any more: False, the connection ends."""
        self.is_refused = True
        answer = error_answer(refusal.status, None, self.site.setting())
        if head.startswith(b"HEAD "):
            answer = msgspec.structs.replace(answer, parts=())
        now_us = self.site.clock()
        self.post(whole_response(answer, b""), now_us)
        self.site.note(self.stream, head, answer.status, answer.body_bytes, now_us)
        return False


def whole_response(answer: Answer, body: bytes) -> bytes:
    """Head and parts as one bytes object."""
    parts = [body[part.start : part.end] if isinstance(part, ByteRange) else part for part in answer.parts]
    return b"".join([answer.head, *parts])
