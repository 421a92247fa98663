"""A connection of HTTP/2: many requests at once, each served as a connection of HTTP/1.1 is, by a thread of
its own over an `H2Stream`.

Owns the stream beneath: one thread reads, whoever has something to send sends what all have put out, and what
has come at once is sent at once. What HTTP/2 means is `core.http.h2conversation`'s, what an answer is its
site's.

Source: RFC 9113 3.3 (prior knowledge), 5.1.2, 5.2, 6.8, 8.1.
"""

from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Final, Protocol, cast

from gossamer.core.clock import Clock
from gossamer.core.errors import Draining
from gossamer.core.http.client import response_parser
from gossamer.core.http.h2conversation import H2Body, H2Conversation, H2Limits, H2Request, H2Reset
from gossamer.core.http.limits import MessageLimits
from gossamer.core.io.lingering import linger
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import Fork, Yield
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.sync.mutex import Mutex
from gossamer.shards.web.h2_stream import H2Stream
from gossamer.shards.web.inbox import RECV_BYTES
from gossamer.shards.web.options import WebOptions

NOTHING: Final = b""
PARSE: Final = response_parser()
NAME: Final = "serves a stream of HTTP/2"


class H2Site(Protocol):
    """What this asks of the site."""

    options: WebOptions
    limits: MessageLimits
    clock: Clock
    is_ending: bool

    @property
    def serve(self) -> Callable[[Stream], Coroutine[Any, Any, None]]:
        """Serves a connection of HTTP/1.1."""


class H2Connection:
    """One connection, to its end. Bounds: those of an `H2Conversation`; as many threads as it may have
    streams, also those whose peer does not want their answer any more."""

    def __init__(self, site: H2Site, stream: Stream) -> None:
        self.site = site
        self.stream = stream
        self.clock = site.clock
        self.parse = PARSE
        self.own = H2Limits(head_bytes_max=site.limits.head_bytes_max)
        self.conversation = H2Conversation(self.own)
        self.serving: dict[int, H2Stream] = {}
        """Those whose threads have not ended."""
        self.hearing: CancelScope | None = None
        """Around the wait for what comes."""
        self.rested_us = self.clock()
        """Since when nothing is served."""
        self.failure: OSError | None = None
        self.sending = Mutex()
        self.asked_total = 0
        """How often somebody wanted all sent that was put out."""
        self.sent_total = 0
        """Up to which of those that is so."""
        self.has_left = False
        """Whether the peer has said that it sends no more."""

    async def run(self, data: bytes) -> bool:
        """Serve what begins with `data`; False: the connection ends. Raises: OSError."""
        conversation = self.conversation
        try:
            while not conversation.is_over:
                await self.meet(data)
                await self.flush()
                data = NOTHING if conversation.is_over else await self.hear()
            await self.flush()
        finally:
            for stream in tuple(self.serving.values()):
                stream.broke()
        if not self.has_left:
            options = self.site.options
            await linger(self.stream, self.clock, options.linger_timeout_us, options.linger_bytes_max)
        return False

    async def meet(self, data: bytes) -> None:
        """Take in what came, and begin with what it asks for."""
        if self.site.is_ending:
            self.conversation.end()
        if not data:
            return
        for event in self.conversation.receive(data, self.clock()):
            if isinstance(event, H2Request):
                await self.begin(event)
            elif isinstance(event, H2Body):
                self.bring(event)
            elif isinstance(event, H2Reset) and (stream := self.serving.get(event.stream_id)) is not None:
                stream.broke()
        for stream in tuple(self.serving.values()):
            stream.look()

    async def begin(self, event: H2Request) -> None:
        """Have a request served. Streams that were reset have threads too, until their answer is over with:
        whoever asks and resets, again and again, has no more of them than others."""
        if len(self.serving) >= self.own.streams_max:
            self.conversation.refuse(event.stream_id)
            return
        stream = H2Stream(self, event.stream_id, event.head)
        self.serving[event.stream_id] = stream
        await Fork(self.serve(stream), NAME, copy_context())

    def bring(self, event: H2Body) -> None:
        """More of a request's body has come."""
        stream = self.serving.get(event.stream_id)
        if stream is None:
            self.conversation.taken(event.stream_id, event.window_bytes)
        else:
            stream.feed(event.data, event.window_bytes, has_ended=event.has_ended)

    async def serve(self, stream: H2Stream) -> None:
        """A thread: serve one stream to its end."""
        try:
            await self.site.serve(cast("Stream", stream))
        finally:
            stream.drop()
            del self.serving[stream.stream_id]
            self.rested_us = self.clock()
            if self.conversation.is_over:
                self.stop_hearing()
        if not self.conversation.is_over and self.failure is None:
            await self.flush()  # Others may wait for the room that its body has given back.

    # What comes.

    async def hear(self) -> bytes:
        """Wait for what comes next. Raises: OSError."""
        keep_alive_us = self.site.options.keep_alive_timeout_us
        patience_us = keep_alive_us if self.serving else max(1, self.rests_until_us - self.clock())
        with CancelScope() as self.hearing:
            try:
                data = await self.stream.recv(RECV_BYTES, patience_us)
            except TimeoutError:
                if not self.serving and self.clock() >= self.rests_until_us:
                    self.conversation.end()
                return NOTHING
            except Draining:
                self.conversation.end()
                return NOTHING
            if not data:
                self.has_left = True
                self.conversation.receive(NOTHING, self.clock())
            return data
        if self.failure is not None:
            raise self.failure
        return NOTHING

    @property
    def rests_until_us(self) -> int:
        """Until when the next request may begin, where nothing is served."""
        return self.rested_us + self.site.options.keep_alive_timeout_us

    def stop_hearing(self) -> None:
        """Nothing more is to come."""
        if self.hearing is not None:
            self.hearing.cancel()

    # What goes.

    async def flush(self) -> None:
        """Send all that was put out. Raises: OSError."""
        self.asked_total = mine = self.asked_total + 1
        async with self.sending:
            if self.failure is not None:
                raise self.failure
            if self.sent_total >= mine:
                return
            await Yield()  # Others have something to say as well, and it goes with this.
            upto, data = self.asked_total, self.conversation.unsent()
            try:
                if data:
                    await self.stream.send(data, self.site.options.write_timeout_us)
            except OSError as error:
                self.failure = error
                self.stop_hearing()
                raise
            self.sent_total = upto


async def speaks(site: H2Site, stream: Stream, data: bytes) -> bool:
    """Serve a connection that begins with `data`; False: it ends. Raises: OSError."""
    return await H2Connection(site, stream).run(data)
