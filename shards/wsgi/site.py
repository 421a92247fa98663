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
from gossamer.shards.units import format_duration
from gossamer.shards.web.ends import Proxies, ends_of
from gossamer.shards.web.http_site import HttpSite, ResponseLog
from gossamer.shards.web.options import DEFAULT_OPTIONS, WebOptions
from gossamer.shards.web.spent import Spent, spent
from gossamer.shards.wsgi.call import WsgiCall
from gossamer.shards.wsgi.conversation import AnswerCutError, WsgiConversation
from gossamer.shards.wsgi.environ import Environ, environ_of
from gossamer.shards.wsgi.outbox import BrokenOff
from gossamer.shards.wsgi.response import WsgiError, WsgiResponse
from gossamer.shards.wsgi.running import WsgiApplication

WRONG: Final = "%s %s: %s"
FAILED: Final = "%s %s: the application failed"

HUNG: Final = (
    "%s %s: the application was silent for %s (application.timeout_request)%s; "
    "threads that such calls hold: %d"
)

log = logging.getLogger("gossamer.wsgi")


class WsgiSite(HttpSite):
    """A WSGI application; a native handler too.

        handler = WsgiSite(application)              # gossamer serve mysite:handler

    Bounds: those of WebOptions; `threads` calls of the application run at once in a worker, further requests
    wait their turn.
    """

    cuts: tuple[type[Exception], ...] = (AnswerCutError,)

    def __init__(
        self,
        application: WsgiApplication,
        options: WebOptions = DEFAULT_OPTIONS,
        *,
        threads: int = THREADS,
        script_name: str = "",
        timeout_us: int = 0,
        requests_max: int = 0,
        clock: Clock = monotonic_us,
        wall: Clock = wall_us,
        access_log: ResponseLog | None = None,
    ) -> None:
        """`script_name` is the path at which the application stands, taken off each target already. The pool
        must have more than `threads` threads, or what else blocks waits as well. `timeout_us` is how long a
        call may neither say anything nor wait for its client: then it is 504, or the answer is cut; 0 is for
        ever. After `requests_max` requests `gossamer serve` replaces the worker; 0 is never.
        """
        if not callable(application):
            raise misuse("application", application, "a WSGI application: a callable")
        check_whole("threads", threads, 1, THREADS_MAX, f"1 to {THREADS_MAX}")
        super().__init__(options, clock, wall, access_log)
        self.application = application
        self.script_name = script_name
        self.proxies: Proxies = Proxies(self.trusted, options.client_field.lower())
        self.places: Semaphore = Semaphore(threads)
        self.threads: int = threads
        self.errors_total: int = 0
        self.timeout_us: int = timeout_us
        self.hung_total: int = 0
        self.hung: set[WsgiCall] = set()
        """Calls that were given up, and have not returned."""
        self.requests_max: int = requests_max
        self.begun_total: int = 0

    def burst_of(self, stream: Stream, _asker: None) -> WsgiConversation:
        """What answers a burst of requests."""
        return WsgiConversation(self, stream)

    def response_to(self, request: Request) -> WsgiResponse:
        """The answer to a request, of which nothing is said yet."""
        self.begun_total += 1
        common = self.setting()
        asked = Requested(request.method, request.minor, request.keep_alive and not common.is_draining)
        return WsgiResponse(asked, common.lines)

    def environ_of(self, request: Request, stream: Stream) -> Environ:
        """What the application is told of a request."""
        return environ_of(request, ends_of(stream), self.script_name, self.proxies)

    async def run(self, call: WsgiCall, environ: Environ) -> bytes:
        """Run a call, and note that it has returned where it was given up."""
        try:
            return await call.run(environ)
        finally:
            self.hung.discard(call)

    def give_up(self, call: WsgiCall) -> None:
        """A call is silent for longer than one may be; its thread goes on, since nobody can end it."""
        self.hung_total += 1
        call.is_given_up = True
        if call.has_begun:
            self.hung.add(call)
        request = call.request
        limit = format_duration(self.timeout_us)
        log.error(HUNG, request.method, printable(request.target), limit, call.where(), len(self.hung))

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
        is_held = len(self.hung) >= self.threads
        return {
            **super().statistics(),
            "application_errors_total": self.errors_total,
            "application_hung_total": self.hung_total,
            "spent": Spent.HUNG if is_held else spent(self.begun_total, self.requests_max),
        }
