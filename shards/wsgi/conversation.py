"""A burst of requests for a WSGI application: the connection's side of each call.

Owns the order of things: a request is read, the application runs, its answer is sent as it comes, and what it
has left of the request's body is dropped before the next. A small body is read before the application begins,
so that no operating-system thread waits for a slow client to send a form.

Source: PEP 3333; RFC 9110 9.3.6, 10.1.1; RFC 9112 9.
"""

from contextvars import copy_context
from typing import Final, Protocol

from gossamer.core.http.request import Refusal, Request
from gossamer.core.io.stream import Stream
from gossamer.core.loop.from_thread import sys_token
from gossamer.core.threads.calls import Fork, Join
from gossamer.core.threads.cancel import CancelScope
from gossamer.shards.web.burst import Burst, BurstSite
from gossamer.shards.wsgi.call import WsgiCall, WsgiCallSite
from gossamer.shards.wsgi.environ import Environ
from gossamer.shards.wsgi.file_wrapper import FilePiece

NO_TUNNEL: Final = Refusal(501, "no tunnels here")
TOO_OFTEN: Final = Refusal(429, "too many requests from this address")
FAILED: Final = Refusal(500, "the application failed")
SILENT: Final = Refusal(504, "the application does not answer")

SMALL_BODY_BYTES: Final = 65536
"""A body that is read before the application begins."""


class AnswerCutError(Exception):
    """An answer has begun and cannot be completed: its peer must not take the part for all."""


class WsgiConversationSite(BurstSite, WsgiCallSite, Protocol):
    """What a conversation asks of who serves the application."""

    def is_too_often(self, stream: Stream) -> bool:
        """Whether a further request of its peer is one too many."""

    timeout_us: int
    """How long an application may be silent; 0 is for ever."""

    def environ_of(self, request: Request, stream: Stream) -> Environ:
        """What the application is told of a request."""

    async def run(self, call: WsgiCall, environ: Environ) -> bytes:
        """As `call.run`, and noted where it is given up meanwhile."""

    def give_up(self, call: WsgiCall) -> None:
        """Its application takes longer than one may."""


class WsgiConversation(Burst):
    """One burst of an application's. Bounds: those of a `Burst` and of an `Outbox`."""

    __slots__ = ()

    site: WsgiConversationSite
    is_refused: bool

    async def exchange(self, head: bytes) -> bool:
        """Have one request answered. Raises: AnswerCutError, OSError, PeerLeftError."""
        site = self.site
        began_us = site.clock()
        request = site.parse(head)
        refusal = request if isinstance(request, Refusal) else self._refusal_of(request)
        if refusal is not None:
            return self.refuse(refusal, head)
        assert isinstance(request, Request)
        await self.flush()  # Nobody waits for an answer because somebody's next takes long.
        body = b""
        if 0 < request.body_bytes <= SMALL_BODY_BYTES and not request.expects_continue:
            read = await self._small_body()
            if isinstance(read, Refusal):
                return self.refuse(read, head)
            body = read
        call = WsgiCall(site, self.inbox, request, await sys_token(), self._send)
        environ = call.completed(site.environ_of(request, self.stream), body)
        rest = await (self._attend(call, environ) if site.timeout_us else call.run(environ))
        if rest is None:
            if call.response.is_begun:
                raise AnswerCutError
            return self.refuse(SILENT, head)
        if rest:
            self.post(rest)
        call.outbox.check()
        return await self._conclude(call, head, began_us)

    async def _attend(self, call: WsgiCall, environ: Environ) -> bytes | None:
        """As `call.run`; None where the application is silent for longer than it may be. Nobody can end its
        thread: it goes on, and keeps its place until it returns."""
        site, outbox = self.site, call.outbox
        runs = await Fork(site.run(call, environ), "calls an application", copy_context())
        while True:
            deadline_us = outbox.acted_us + site.timeout_us
            with CancelScope(deadline_us):
                return await Join(runs)
            if not outbox.take_back():
                outbox.acted_us = site.clock()  # It waits for its client.
            elif outbox.acted_us + site.timeout_us > deadline_us:
                outbox.give_back()
            else:
                site.give_up(call)
                return None

    def _refusal_of(self, request: Request) -> Refusal | None:
        """Why a good request does not come to the application; else its body can be read."""
        if self.site.is_too_often(self.stream):
            return TOO_OFTEN
        if request.method == "CONNECT":
            return NO_TUNNEL
        if not request.has_body:
            return None
        self.inbox.await_body()
        return self.inbox.reader.expect_body(request)

    async def _small_body(self) -> bytes | Refusal:
        """All of a body that is not long."""
        pieces = []
        while piece := await self.inbox.next_body():
            if isinstance(piece, Refusal):
                return piece
            pieces.append(piece)
        return b"".join(pieces)

    async def _send(self, piece: bytes | FilePiece) -> None:
        """Raises: OSError; AnswerCutError for a file that is shorter than was promised."""
        timeout_us = self.site.options.write_timeout_us
        if isinstance(piece, bytes):
            await self.stream.send(piece, timeout_us)
        elif await self.stream.send_file(piece.fd, piece.offset, piece.length, timeout_us) < piece.length:
            raise AnswerCutError

    async def _conclude(self, call: WsgiCall, head: bytes, began_us: int) -> bool:
        """The application has no more to say to this request; whether another may follow."""
        response = call.response
        if not response.is_begun:
            return self.refuse(call.refusal or FAILED, head)
        self.site.note(self.stream, head, response.status, response.sent_bytes, began_us)
        if call.has_failed:
            raise AnswerCutError
        self.end_answer(began_us)
        return await self._skip_rest(call) and response.keep_alive

    async def _skip_rest(self, call: WsgiCall) -> bool:
        """Read and drop what the application has not wanted of a body; whether its end was found."""
        if call.refusal is not None or call.is_body_unasked:
            # Nobody can say whether what comes next is a body or a request.
            self.is_refused = True
            return False
        if self.inbox.reader.body is None:
            return True
        await self.flush()  # Nobody waits for an answer because what is left of a body is slow.
        is_found = await self.inbox.drop_body()
        if not is_found:
            self.is_refused = True
        return is_found
