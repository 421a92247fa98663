"""A burst of requests for an application: the connection's side of each exchange.

Owns the stream: what the application sends is put on it, what it wants to receive is read from it. A request
whose application never waits is answered on the connection's own thread, from its first step to its last; for
any other this thread waits beside the task, and a second one reads while the application wants to receive.

Source: RFC 9110 9.3.6, 10.1.1; RFC 9112 9.
"""

import os
from collections import deque
from typing import Final, Protocol

from gossamer.core.errors import Draining
from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.websocket_handshake import asks_for_websocket
from gossamer.core.io.sendfile import send_pieces
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import Fork
from gossamer.core.threads.cancel import CancelScope
from gossamer.shards.asgi.descriptor_file import DescriptorFile
from gossamer.shards.asgi.exchange import Exchange
from gossamer.shards.asgi.file_range import FileRange
from gossamer.shards.asgi.scope import Asker
from gossamer.shards.asgi.websocket_conversation import SocketConversation, SocketSite
from gossamer.shards.web.burst import Burst, BurstSite
from gossamer.shards.web.inbox import BODY_RECV_BYTES, RECV_BYTES, Inbox, PeerLeftError
from gossamer.shards.web.streaming import ignored

NO_TUNNEL: Final = Refusal(501, "no tunnels here")
TOO_OFTEN: Final = Refusal(429, "too many requests from this address")
BUSY: Final = Refusal(503, "too many requests are being answered")
PIPELINED_BYTES_MAX: Final = 32768
"""Kept of what a client asks before the application has answered; then it is not heard any more."""
FAILED: Final = Refusal(500, "the application failed")


class ResponseCutError(Exception):
    """A response has begun and cannot be completed: its peer must not take the part for all."""


class ApplicationSite(SocketSite, Protocol):
    """What a conversation asks of who serves the application."""

    def is_too_often(self, stream: Stream) -> bool:
        """Whether a further request of its peer is one too many."""

    def has_room(self) -> bool:
        """Whether one more request may be given to the application."""

    def begin_any(self, exchange: Exchange, asker: Asker) -> None:
        """Have the application begin with it, and go on until it waits."""

    def give_up(self, exchange: Exchange) -> None:
        """Its application takes longer than one may."""


class ApplicationConversation(Burst):
    """One burst of an application's. Bounds: those of a `Burst`, and of one `Exchange`."""

    __slots__ = ("acted_us", "asker", "heard_us", "watching")

    site: ApplicationSite

    def __init__(self, site: ApplicationSite, stream: Stream, asker: Asker) -> None:
        super().__init__(site, stream)
        self.asker = asker
        self.watching: CancelScope | None = None
        """Around the thread that reads for the application, while there is one."""
        self.heard_us = 0
        """Until when somebody has waited for the body."""
        self.acted_us = 0
        """When the application has last said something, or waited for its client."""

    async def go_on(self, exchange: Exchange, head: bytes) -> bool:
        """Go on with an exchange that has begun, then as `run`. Raises: as `exchange`, and as `run`."""
        if not exchange.is_over:
            await self.accompany(exchange)
        return await self.finish(lives_on=await self.conclude(exchange, head))

    async def exchange(self, head: bytes) -> bool:
        """Have one request answered. Raises: ResponseCutError, OSError, PeerLeftError."""
        site = self.site
        began_us = site.clock()
        request = site.parse(head)
        refusal = request if isinstance(request, Refusal) else self.refusal_of(request)
        if refusal is not None:
            return self.refuse(refusal, head)
        assert isinstance(request, Request)
        if "upgrade" in request.table and asks_for_websocket(request):
            await self.flush()
            await SocketConversation(site, self.stream, self.asker).run(request, head, self.unread)
            self.opened_inbox = None  # What it has left is of no HTTP.
            return False
        exchange = Exchange(site, request, self.inbox if request.has_body else None)
        exchange.began_us = began_us
        site.begin_any(exchange, self.asker)
        if not exchange.is_over:
            await self.accompany(exchange)
        return await self.conclude(exchange, head)

    def refusal_of(self, request: Request) -> Refusal | None:
        """Why a good request does not come to the application; else its body can be read."""
        site = self.site
        if site.is_too_often(self.stream):
            return TOO_OFTEN
        if request.method == "CONNECT":
            return NO_TUNNEL
        if not site.has_room():
            return BUSY
        if not request.has_body:
            return None
        self.inbox.await_body()
        self.heard_us = self.inbox.body_started_us
        return self.inbox.reader.expect_body(request)

    async def conclude(self, exchange: Exchange, head: bytes) -> bool:
        """The application has no more to say to this request; whether another may follow."""
        if exchange.is_broken:
            raise PeerLeftError
        body = exchange.body
        if body is None and not exchange.is_whole:
            exchange.drop()
            await self.flush()
            exchange.broke()
            return self.refuse(exchange.refusal or FAILED, head)
        assert body is not None
        await self.take(exchange)
        note_exchange(self.site, self.stream, exchange, head)
        if not exchange.is_whole:
            await self.flush()
            exchange.broke()
            raise ResponseCutError
        self.end_answer(exchange.began_us)
        return await self.skip_rest(exchange) and body.keep_alive

    async def take(self, exchange: Exchange) -> None:
        """Take what the exchange has put out behind what waits here."""
        pieces = exchange.out
        if any(isinstance(piece, FileRange) for piece in pieces):
            await self.send_out(exchange)
            return
        for piece in pieces:
            self.post(piece)  # type: ignore[arg-type]  # each is bytes
        pieces.clear()

    async def skip_rest(self, exchange: Exchange) -> bool:
        """Read and drop what the application has not wanted of a body; whether its end was found."""
        if exchange.inbox is None or exchange.request_is_told:
            return True
        if exchange.refusal is not None or exchange.needs_continue:
            self.is_refused = True
            return False
        await self.flush()
        exchange.inbox.await_body()
        is_found = await exchange.inbox.drop_body()
        if not is_found:
            self.is_refused = True
        return is_found

    # An application that waits.

    async def accompany(self, exchange: Exchange) -> None:
        """Send and read for an application until it has no more to say. Raises: OSError, but for what has
        broken the exchange."""
        await self.flush()  # Nobody waits for an answer because somebody's next takes long.
        try:
            while not exchange.is_over:
                exchange.begin_waiting()
                if exchange.out:
                    await self.send_out(exchange)
                elif exchange.readers and self.watching is None and not exchange.is_deaf and self.can_hear:
                    self.watching = CancelScope()
                    await Fork(self.watch(exchange, self.watching), "reads for an application")
                else:
                    await self.attend(exchange)
        finally:
            if self.watching is not None:
                self.watching.cancel()
                self.watching = None

    async def attend(self, exchange: Exchange) -> None:
        """Wait until something happens. Where there is a limit to it, an application that neither says
        anything nor waits for its client, for so long, is given up."""
        site = self.site
        if not site.own.timeout_us:
            await exchange.park()
            return
        self.acted_us = site.clock()
        while True:
            deadline_us = max(self.acted_us, self.heard_us) + site.own.timeout_us
            with CancelScope(deadline_us) as scope:
                await exchange.park()
            if not scope.cancelled_caught:
                return
            if exchange.waits_for_body:
                self.acted_us = site.clock()
            elif self.heard_us + site.own.timeout_us <= deadline_us:
                site.give_up(exchange)
                return

    async def send_out(self, exchange: Exchange) -> None:
        """Send what the exchange has put out, in its order. Raises: OSError, ResponseCutError; then it is
        broken."""
        pieces, exchange.out = deque(exchange.out), []
        sent_bytes = 0
        try:
            while pieces:
                piece = pieces[0]
                if isinstance(piece, FileRange):
                    await self.flush()
                    await self.send_file(piece)
                    os.close(piece.fd)
                    sent_bytes += piece.part.length
                else:
                    self.post(piece)
                    sent_bytes += len(piece)
                pieces.popleft()
            await self.flush()
        except BaseException:
            exchange.out[:0] = pieces
            exchange.broke()
            raise
        exchange.went(sent_bytes)

    async def send_file(self, piece: FileRange) -> None:
        """Send octets of a file. Raises: OSError; ResponseCutError where it has become shorter."""
        options = self.site.options
        file = DescriptorFile(piece.fd)
        part = piece.part
        sent = await send_pieces(
            *(self.stream, file, part.start, part.length),
            *(options.write_timeout_us, options.chunk_bytes, ignored),
        )
        if sent < part.length:
            raise ResponseCutError

    # Reading for it.

    async def watch(self, exchange: Exchange, scope: CancelScope) -> None:
        """A thread: read as long as the application wants to receive."""
        with scope:
            goes_on = True
            while goes_on and exchange.readers:
                goes_on = await self.read(exchange)
                exchange.came()
        if self.watching is scope:
            self.watching = None
            exchange.wake()

    async def read(self, exchange: Exchange) -> bool:
        """Read once; whether there is anything more to read for."""
        try:
            if exchange.request_is_told or exchange.inbox is None:
                return await self.hear_of_the_end()
            exchange.refusal = await self.more_of_body(exchange.inbox)
        except PeerLeftError:
            exchange.left()
        except OSError:
            exchange.broke()
        return not exchange.is_deaf

    async def more_of_body(self, inbox: Inbox) -> Refusal | None:
        """Wait for more of a body; what time the application has taken meanwhile is not the client's."""
        inbox.body_started_us += self.site.clock() - self.heard_us
        try:
            return await inbox.more(inbox.body_deadline_us(), BODY_RECV_BYTES)
        finally:
            self.heard_us = self.site.clock()

    async def hear_of_the_end(self) -> bool:
        """Wait until the client leaves; what it asks meanwhile is kept. Whether there is room for more of it.

        Raises: PeerLeftError, OSError.
        """
        try:
            data = await self.stream.recv(RECV_BYTES)
        except Draining:
            return True
        if not data:
            raise PeerLeftError
        self.inbox.reader.receive(data)
        return self.can_hear

    @property
    def can_hear(self) -> bool:
        """Whether so little has come behind the request at hand that more can be kept."""
        return len(self.unread) < PIPELINED_BYTES_MAX


def note_exchange(site: BurstSite, stream: Stream, exchange: Exchange, head: bytes) -> None:
    """Count a response that was put out, and log it."""
    assert exchange.start is not None
    assert exchange.body is not None
    site.note(stream, head, exchange.start.status, exchange.body.sent_bytes, exchange.began_us)
