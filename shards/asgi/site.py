"""An ASGI application, served: a task per request.

Owns the application with its lifespan, the tasks that have not ended, and what is said of one that failed.

Source: ASGI 3.0.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final, NamedTuple

import msgspec

from gossamer.core.aio.calls import sys_await_future
from gossamer.core.clock import SECOND_US, Clock, monotonic_us, wall_us
from gossamer.core.http.memo import MEMO_ENTRIES_MAX, MEMO_KEY_BYTES_MAX
from gossamer.core.http.outgoing import OutgoingBody, Requested
from gossamer.core.http.reader import is_one_head
from gossamer.core.http.request import Refusal, Request
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import Fork, Sleep
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.introspection import task_frames
from gossamer.core.threads.sync import Event
from gossamer.shards.asgi.conversation import ApplicationConversation, ResponseCutError
from gossamer.shards.asgi.exchange import ClientLeftError, Exchange, WholeHead
from gossamer.shards.asgi.lifespan import App, Lifespan, Mode
from gossamer.shards.asgi.messages import COMPLETE, MessageError, Stage, Start
from gossamer.shards.asgi.scope import Asker, Scope, request_scope, socket_scope, whole_scope
from gossamer.shards.asgi.tasks import ApplicationGuest, ApplicationLoop
from gossamer.shards.asgi.websocket import SocketExchange
from gossamer.shards.asgi.websocket_conversation import drain
from gossamer.shards.units import format_duration
from gossamer.shards.web.ends import Proxies, ends_of
from gossamer.shards.web.failures import one_line, where_it_waits
from gossamer.shards.web.http_site import HttpSite, ResponseLog
from gossamer.shards.web.options import DEFAULT_OPTIONS, WebOptions
from gossamer.shards.web.spent import spent

log = logging.getLogger("gossamer.asgi")

HEADS_MAX: Final = 1024
LOOK_US: Final = 20_000
END_US: Final = SECOND_US
NAME_CHARACTERS_MAX: Final = 80
"""Of a target in the name of its task."""

FAILED: Final = "the application failed at %s %s"
RETURNED: Final = "the application returned %s: %s %s"
WRONG: Final = "the application was wrong at %s %s: %s"
HUNG: Final = (
    "the application was silent at %s %s for %s (application.timeout_request): its task %r is cancelled%s"
)
SILENT: Final = Refusal(504, "the application does not answer")


class AsgiOptions(msgspec.Struct, frozen=True):
    """How an application is served, beside what [web] says."""

    root_path: str = ""
    lifespan: Mode = "auto"
    tasks_max: int = 10_000
    """Requests whose application has not returned; beyond them a request is 503."""
    graceful_us: int = 10_000_000
    """How long requests may take to end once nothing new is served."""
    timeout_us: int = 0
    """How long it may neither say anything nor wait for its client; 0 is for ever."""
    requests_max: int = 0
    """After so many requests the worker is to be replaced; 0 is never."""


class PlainRequest(NamedTuple):
    """A request without a body, as these bytes always are one."""

    request: Request
    scope: Scope
    """As far as the request alone says it."""
    name: str
    """Of its task."""
    is_common: bool
    """Whether the head of a whole response to it is as to others."""


PLAIN: Final = Requested("GET", 1, keep_alive=True)
"""All that a head says of any plain request."""
DEFAULT_ASGI: Final = AsgiOptions()


def is_simple(request: Request) -> bool:
    """Whether nothing more of the connection belongs to it than its head."""
    return not request.has_body and request.method != "CONNECT" and "upgrade" not in request.table


def name_of(request: Request) -> str:
    """What the task of a request is called."""
    return f"{request.method} {request.target[:NAME_CHARACTERS_MAX]}"


class AsgiSite(HttpSite):
    """An application. Bounds: in WebOptions and AsgiOptions."""

    cuts = (ResponseCutError,)

    def __init__(
        self,
        app: App,
        options: WebOptions = DEFAULT_OPTIONS,
        own: AsgiOptions = DEFAULT_ASGI,
        *,
        guest: ApplicationGuest | None = None,
        clock: Clock = monotonic_us,
        wall: Clock = wall_us,
        access_log: ResponseLog | None = None,
    ) -> None:
        """`guest` is asyncio, where other applications run in it as well."""
        super().__init__(options, clock, wall, access_log)
        self.app = app
        self.guest = ApplicationGuest() if guest is None else guest
        """To be plugged into the scheduler before `start`."""
        self.guest.join()
        self.own = own
        self.lifespan = Lifespan(app, own.lifespan)
        self.proxies = Proxies(self.trusted, options.client_field.lower())
        self.tasks_max = own.tasks_max
        self.sockets: set[SocketExchange] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        """Those that have not ended; asyncio itself holds no task."""
        self.plain: dict[bytes, PlainRequest] = {}
        self.heads: dict[tuple[int, int], WholeHead] = {}
        self.own_fields: dict[tuple[bool, bool], bytes] = {}
        self.finished: Event | None = None
        """Set once `finish` is over; None before it has begun."""
        self.begun_total = 0
        self.errors_total = 0
        self.hung_total = 0

    # Connections.

    def asker_of(self, stream: Stream) -> Asker:
        """What a connection says of who asks."""
        return Asker(ends_of(stream), self.proxies)

    def converse(self, stream: Stream, data: bytes, asker: Asker) -> Awaitable[bool | None]:
        """Answer what has come; most is one plain request."""
        plain = self.plain.get(data) or self.read_plain(data)
        if plain is None or len(self.tasks) >= self.tasks_max:
            return super().converse(stream, data, asker)
        exchange = Exchange(self, plain.request, None, is_plain=plain.is_common)
        exchange.began_us = self.clock()
        if not self.loop.stays:
            self.loop.stay()
        self.begin(exchange, asker, plain.scope, plain.name)
        start, body, out = exchange.start, exchange.body, exchange.out
        if exchange.stage is not COMPLETE or len(out) != 1 or type(out[0]) is not bytes:
            return ApplicationConversation(self, stream, asker).go_on(exchange, data)
        assert start is not None
        if body is None or not body.keep_alive:
            return ApplicationConversation(self, stream, asker).go_on(exchange, data)
        # The application was over with it in its first step: the response leaves at once.
        self.times.hits_total += 1
        self.times.at_once += 1
        if start.status >= 400 or self.access_log is not None:
            self.note_outcome(stream, data, start.status, body.sent_bytes, exchange.began_us)
        return stream.send(out[0], self.options.write_timeout_us)

    def burst_of(self, stream: Stream, asker: Asker) -> ApplicationConversation:
        """What answers a burst of requests."""
        return ApplicationConversation(self, stream, asker)

    def read_plain(self, data: bytes) -> PlainRequest | None:
        """The request, where these bytes are one head and nothing else that need be looked at; it is known
        when they come again."""
        if self.rates is not None or not is_one_head(data, self.limits):
            return None
        request = self.parse(data)
        if isinstance(request, Refusal) or not is_simple(request):
            return None
        is_common = request.minor == 1 and request.section.is_plain and request.method != "HEAD"
        scope = request_scope(request, self.own.root_path)
        plain = PlainRequest(request, scope, name_of(request), is_common)
        if len(data) <= MEMO_KEY_BYTES_MAX:
            if len(self.plain) >= MEMO_ENTRIES_MAX:
                self.plain.clear()
            self.plain[data] = plain
        return plain

    # Requests.

    def has_room(self) -> bool:
        """Whether one more request may be given to the application."""
        return len(self.tasks) < self.tasks_max

    def begin(self, exchange: Exchange, asker: Asker, asked: Scope, name: str) -> None:
        """Have the application begin with a request, and go on until it waits. `asked` is the part of its
        scope that the request alone says, and `name` its task's."""
        scope = whole_scope(asked, asker.scope_of(exchange.request), self.lifespan.state)
        task = self.loop.begin_task(self.run(exchange, scope), name)
        if not task.done():
            exchange.task = self.keep(task)
        self.begun_total += 1

    def begin_any(self, exchange: Exchange, asker: Asker) -> None:
        """As `begin`, with a request that was not looked at before."""
        request = exchange.request
        asked = asker.asked(request_scope(request, self.own.root_path))
        self.begin(exchange, asker, asked, name_of(request))

    def begin_socket(self, socket: SocketExchange, asker: Asker, request: Request) -> None:
        """As `begin`, with a WebSocket."""
        asked = request_scope(request, self.own.root_path)
        scope = whole_scope(asked, asker.scope_of(request), self.lifespan.state)
        running = self.run_socket(socket, socket_scope(scope, socket.offer.subprotocols), request)
        socket.task = self.keep(self.loop.begin_task(running, name_of(request)))

    def keep(self, task: asyncio.Task[None]) -> asyncio.Task[None] | None:
        """Hold a task until it has ended; None where it has already."""
        if task.done():
            return None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def run_socket(self, socket: SocketExchange, scope: Scope, request: Request) -> None:
        """A task: the application on a WebSocket, and what is said of how it ends."""
        failed = True
        try:
            await self.app(scope, socket.receive, socket.send)
            failed = False
            if socket.stage in (Stage.HANDSHAKE, Stage.DENIAL):
                failed = True
                self.errors_total += 1
                log.error(RETURNED, "before the handshake was answered", request.method, request.target)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an application may raise anything
            self.failed(request, error)
        finally:
            socket.end(failed=failed)

    def drain(self) -> None:
        """From now on no connection waits for another request, and WebSockets are closed."""
        super().drain()
        for socket in tuple(self.sockets):
            drain(socket)

    async def run(self, exchange: Exchange, scope: dict[str, Any]) -> None:
        """A task: the application, and what is said of how it ends."""
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an application may raise anything
            self.failed(exchange.request, error)
        else:
            if exchange.stage is not COMPLETE and not exchange.is_broken:
                self.returned_early(exchange)
        finally:
            exchange.has_ended = True
            if exchange.parked:
                exchange.wake()

    def failed(self, request: Request, error: BaseException) -> None:
        """The application has raised: a message that was wrong is one line, a bug of its own a traceback, and
        that the client has left is none."""
        if isinstance(error, ClientLeftError):
            return
        self.errors_total += 1
        if isinstance(error, MessageError):
            log.error(WRONG, request.method, request.target, one_line(error))
        else:
            log.error(FAILED, request.method, request.target, exc_info=error)

    def give_up(self, exchange: Exchange) -> None:
        """The application is silent for longer than it may be: 504, or a response that is cut, and its task
        is cancelled. One that does not heed that goes on, and counts among `tasks_max`."""
        self.cancel_silent(exchange.task, exchange.request)
        exchange.refusal, exchange.is_cut = SILENT, True

    def give_up_socket(self, socket: SocketExchange, request: Request) -> None:
        """The same with a handshake."""
        self.cancel_silent(socket.task, request)
        socket.give_up(SILENT.status)

    def cancel_silent(self, task: asyncio.Task[None] | None, request: Request) -> None:
        """Cancel a task that is silent; a line names it and where it waits."""
        self.hung_total += 1
        assert task is not None
        place, limit = where_it_waits(task_frames(task)), format_duration(self.own.timeout_us)
        log.error(HUNG, request.method, request.target, limit, task.get_name(), place)
        task.cancel()

    def returned_early(self, exchange: Exchange) -> None:
        """The application has returned, and its response is not whole."""
        self.errors_total += 1
        request = exchange.request
        part = "before the end of its response" if exchange.body is not None else "without a response"
        if exchange.start is not None and exchange.body is None:
            part = "without the body of its response"
        log.error(RETURNED, part, request.method, request.target)

    def own_lines(self, *, has_date: bool, has_server: bool) -> bytes:
        """The fields that every response has, but for those that this one says itself."""
        self.refresh()
        key = (has_date, has_server)
        if (known := self.own_fields.get(key)) is not None:
            return known
        lines = self.common.lines.encode("latin-1").splitlines(keepends=True)
        kept = [
            line
            for line in lines
            if not (has_date and line.startswith(b"Date:"))
            and not (has_server and line.startswith(b"Server:"))
        ]
        self.own_fields[key] = b"".join(kept)
        return self.own_fields[key]

    def whole_head(self, start: Start, count: int) -> WholeHead | None:
        """The head of the response to a plain request whose body is of so many bytes, all of them at once;
        None where it is not as that of others in this second."""
        if self.clock() >= self.fresh_until_us:
            self.refresh()
        known = self.heads.get((id(start), count))
        if known is not None and known.start is start:
            return known
        fields = start.fields
        is_common = not start.has_trailers and start.status not in (204, 304) and not self.is_ending
        if not is_common or fields.length not in (None, count):
            return None
        body = OutgoingBody(PLAIN, start.status, fields, count)
        own = self.own_lines(has_date=fields.has_date, has_server=fields.has_server)
        head = body.head(start.status, fields, own, PLAIN.minor)
        body.around(count, is_last=True)
        if len(self.heads) >= HEADS_MAX:
            self.heads.clear()
        known = self.heads[id(start), count] = WholeHead(start, head, body)
        return known

    def begin_second(self, fresh_until_us: int) -> None:
        """A new Date."""
        super().begin_second(fresh_until_us)
        self.own_fields.clear()
        self.heads.clear()

    # The beginning and the end.

    async def start(self) -> None:
        """Have the application start, in a native thread, before it is served. Raises: LifespanError."""
        loop = self.guest.loop
        assert isinstance(loop, ApplicationLoop)
        self.loop = loop
        await sys_await_future(self.lifespan.start())

    async def finish(self, deadline_us: int) -> None:
        """Wait until the tasks have ended that responses have left behind, and have the application end. What
        still runs at the deadline is cancelled, and dropped where it does not heed that; the application has
        END_US at the least for its end. Whoever calls it again waits for the same."""
        if self.finished is not None:
            await self.finished.wait()
            return
        self.finished = Event()
        deadline_us = min(deadline_us, self.clock() + self.own.graceful_us)
        while self.tasks and self.clock() < deadline_us:
            await Sleep(LOOK_US)
        if self.tasks:
            log.warning("%d tasks of the application are cancelled: their time is over", len(self.tasks))
        deadline_us = max(deadline_us, self.clock() + END_US)
        ending = await Fork(self.end(deadline_us), "ends the application")
        while not ending.has_ended and self.clock() < deadline_us + END_US:
            await Sleep(LOOK_US)
        if not ending.has_ended:
            log.warning("tasks of the application do not heed that they are cancelled, and are dropped")
        self.finished.set()

    async def end(self, deadline_us: int) -> None:
        """A thread: tell the application to end, and cancel what still runs."""
        with CancelScope(deadline_us) as scope:
            await sys_await_future(self.lifespan.end())
        if scope.cancelled_caught:
            log.warning("the application has not answered lifespan.shutdown in time")
        await self.guest.leave()

    def statistics(self) -> dict[str, int]:
        """Counters since the start, and how many tasks there are."""
        return {
            **super().statistics(),
            "application_errors_total": self.errors_total,
            "application_hung_total": self.hung_total,
            "tasks": len(self.tasks),
            "spent": spent(self.begun_total, self.own.requests_max),
        }
