"""One call of a WSGI application: what its request brings, and what both threads know of it.

Owns the keys of the environ that only a server can give, and how the application's operating-system thread
has the connection's read the body for it.
"""

import io
import sys
from threading import get_ident
from typing import Final, Protocol

from gossamer.core.clock import Clock
from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.response import CONTINUE
from gossamer.core.loop.from_thread import Token
from gossamer.core.threads.calls import sys_blio_to_end
from gossamer.core.threads.sync.semaphore import Semaphore
from gossamer.shards.web.failures import where_it_waits
from gossamer.shards.web.inbox import Inbox, PeerLeftError
from gossamer.shards.wsgi.body import ErrorLines, body_file
from gossamer.shards.wsgi.environ import Environ
from gossamer.shards.wsgi.file_wrapper import FileWrapper
from gossamer.shards.wsgi.outbox import BrokenOff, Outbox, Send
from gossamer.shards.wsgi.response import WsgiResponse
from gossamer.shards.wsgi.running import NOTHING, WsgiApplication, run_application

WSGI_VERSION: Final = (1, 0)


class WsgiCallSite(Protocol):
    """What a call asks of who serves the application."""

    application: WsgiApplication
    clock: Clock
    places: Semaphore
    """How many of its calls may run at once."""

    def response_to(self, request: Request) -> WsgiResponse:
        """The answer to a request, of which nothing is said yet."""

    def failed(self, request: Request, error: BaseException) -> None:
        """Say that the application has raised."""


class WsgiCall:
    """The call for one request."""

    __slots__ = (
        "_inbox",
        "_is_asked",
        "_os_thread",
        "_site",
        "_token",
        "has_failed",
        "is_given_up",
        "outbox",
        "refusal",
        "request",
        "response",
    )

    def __init__(self, site: WsgiCallSite, inbox: Inbox, request: Request, token: Token, send: Send) -> None:
        self._site = site
        self._inbox = inbox
        self.request: Request = request
        self._token = token
        self._is_asked = False
        self._os_thread = 0
        self.is_given_up: bool = False
        """Whether nobody waits for it any more."""
        self.outbox: Outbox = Outbox(token, send, site.clock)
        self.response: WsgiResponse = site.response_to(request)
        self.has_failed: bool = False
        """Whether the application has raised."""
        self.refusal: Refusal | None = None
        """What was wrong with the body that it read."""

    @property
    def is_body_unasked(self) -> bool:
        """Whether the client still waits to be told to send its body, or has begun by itself."""
        return self.request.has_body and self.request.expects_continue and not self._is_asked

    def completed(self, environ: Environ, body: bytes) -> Environ:
        """The environ with what only a server can give; `body` is what was read already."""
        is_streamed = self.request.has_body and not body
        environ.update(
            {
                "wsgi.version": WSGI_VERSION,
                "wsgi.input": body_file(self.more) if is_streamed else io.BytesIO(body),
                "wsgi.input_terminated": True,
                "wsgi.errors": ErrorLines(),
                "wsgi.multithread": True,
                "wsgi.multiprocess": True,
                "wsgi.run_once": False,
                "wsgi.file_wrapper": FileWrapper,
            }
        )
        return environ

    async def run(self, environ: Environ) -> bytes:
        """Have it run in the pool, when there is a place; what is left to be sent. What it raises is kept,
        and said.
        """
        errors = environ["wsgi.errors"]
        try:
            async with self._site.places:
                if self.is_given_up:
                    return NOTHING
                return await sys_blio_to_end(self._run_in_pool, environ)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an application may raise anything
            self.has_failed = True
            self._site.failed(self.request, error)
            return NOTHING
        finally:
            errors.flush()

    @property
    def has_begun(self) -> bool:
        """Whether it has a thread."""
        return self._os_thread != 0

    def _run_in_pool(self, environ: Environ) -> bytes:
        self._os_thread = get_ident()
        return run_application(self._site.application, environ, self.response, self.outbox)

    def where(self) -> str:
        """Where the application is, for the end of a line: file and line of its own."""
        if not self._os_thread:
            return "; it has waited for a thread (application.threads)"
        frame, frames = sys._current_frames().get(self._os_thread), []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        return where_it_waits(reversed(frames))

    def more(self) -> bytes:
        """The next piece of the body, for the application's thread. Raises: BrokenOff."""
        if not self._is_asked:
            self._is_asked = True
            if self.request.expects_continue and not self.response.is_begun:
                self.outbox.post(CONTINUE)
            self._token.run_sync(self._inbox.await_body)
        try:
            data = self.outbox.use(self._inbox.next_body)
        except PeerLeftError:
            raise BrokenOff("the client has left in the middle of the request's body") from None
        if isinstance(data, Refusal):
            self.refusal = data
            raise BrokenOff(f"the request's body: {data.reason}")
        return data
