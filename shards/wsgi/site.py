"""A WSGI application, served: a call in the pool per request.

Owns the application, and how many of its calls run at once.

Source: PEP 3333.
"""

import logging
from typing import Final

from gossamer.core.clock import Clock, monotonic_us, wall_us
from gossamer.core.errors import check_whole, misuse
from gossamer.core.http.outgoing import Requested
from gossamer.core.http.request import Request
from gossamer.core.io.stream import Stream
from gossamer.core.loop.pool import THREADS, THREADS_MAX
from gossamer.core.printable import printable
from gossamer.core.threads.sync.semaphore import Semaphore
from gossamer.shards.web.ends import Proxies, ends_of
from gossamer.shards.web.http_site import HttpSite, ResponseLog
from gossamer.shards.web.options import DEFAULT_OPTIONS, WebOptions
from gossamer.shards.wsgi.conversation import AnswerCutError, WsgiConversation
from gossamer.shards.wsgi.environ import Environ, environ_of
from gossamer.shards.wsgi.outbox import BrokenOff
from gossamer.shards.wsgi.response import WsgiError, WsgiResponse
from gossamer.shards.wsgi.running import WsgiApplication

WRONG: Final = "%s %s: %s"
FAILED: Final = "%s %s: the application failed"

log = logging.getLogger("gossamer.wsgi")


class WsgiSite(HttpSite):
    """A WSGI application; a native handler too.

        handler = WsgiSite(application)              # gossamer serve mysite:handler

    Bounds: those of WebOptions; `threads` calls of the application run at once in a worker, further requests
    wait their turn.
    """

    cuts = (AnswerCutError,)

    def __init__(
        self,
        application: WsgiApplication,
        options: WebOptions = DEFAULT_OPTIONS,
        *,
        threads: int = THREADS,
        script_name: str = "",
        clock: Clock = monotonic_us,
        wall: Clock = wall_us,
        access_log: ResponseLog | None = None,
    ) -> None:
        """`script_name` is the path at which the application stands, taken off each target already. The pool
        must have more than `threads` threads, or what else blocks waits as well.
        """
        if not callable(application):
            raise misuse("application", application, "a WSGI application: a callable")
        check_whole("threads", threads, 1, THREADS_MAX, f"1 to {THREADS_MAX}")
        super().__init__(options, clock, wall, access_log)
        self.application = application
        self.script_name = script_name
        self.proxies: Proxies = Proxies(self.trusted, options.client_field.lower())
        self.places: Semaphore = Semaphore(threads)
        self.errors_total: int = 0

    def burst_of(self, stream: Stream, _asker: None) -> WsgiConversation:
        """What answers a burst of requests."""
        return WsgiConversation(self, stream)

    def response_to(self, request: Request) -> WsgiResponse:
        """The answer to a request, of which nothing is said yet."""
        common = self.setting()
        asked = Requested(request.method, request.minor, request.keep_alive and not common.is_draining)
        return WsgiResponse(asked, common.lines)

    def environ_of(self, request: Request, stream: Stream) -> Environ:
        """What the application is told of a request."""
        return environ_of(request, ends_of(stream), self.script_name, self.proxies)

    def failed(self, request: Request, error: BaseException) -> None:
        """The application has raised: where it was wrong about WSGI that is one line, a bug of its own has
        its traceback, and that the client has left is none.
        """
        if isinstance(error, BrokenOff):
            return
        self.errors_total += 1
        target = printable(request.target)
        if isinstance(error, WsgiError):
            log.error(WRONG, request.method, target, error)
        else:
            log.error(FAILED, request.method, target, exc_info=error)

    def statistics(self) -> dict[str, int]:
        """Counters since the start."""
        return {**super().statistics(), "application_errors_total": self.errors_total}
