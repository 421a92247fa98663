"""What serves HTTP, whoever answers: the static site and an application are each one of these.

Owns the loop of a connection, `serve`, one thread each, and what all of them have in common beside the
answers: the fields of every response, remade each second, the counters and the access log, how often a client
may ask, how a connection ends. Who answers is `burst_of`'s to say, which each kind of site has of its own. A
connection that rests is the frame of `serve` and no other.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.errors import Draining
from gossamer.core.http.dates import format_date
from gossamer.core.http.forwarded import Networks, is_among, networks_of
from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.request import RequestParser
from gossamer.core.io.serve import is_no_fault
from gossamer.core.io.stream import Stream
from gossamer.core.loop.streamcall import Idle
from gossamer.shards.web.answer import AnswerSetting, common_lines
from gossamer.shards.web.burst import Burst
from gossamer.shards.web.inbox import RECV_BYTES, PeerLeftError, look_once_more
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.request_rate import RequestRates
from gossamer.shards.web.response_times import ResponseTimes

TLS_LINE: Final = b"TLS hello\r\n"
H2_BEGINNING: Final = b"PRI * HTTP/2.0\r\n\r\n"
"""RFC 9113 3.4, in the one piece in which it comes."""
NOTHING: Final = b""

log = logging.getLogger("gossamer.web")


class ResponseLog(Protocol):
    """What is called for every response; it must not block."""

    def __call__(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, duration_us: int = 0, user: str = ""
    ) -> None:
        """Note it. A response that was ready when its request came has taken no time."""


class HandedOver(Exception):
    """A connection is somebody else's from now on. Whoever answers raises it, so that of them nothing is left
    on the connection's thread, which `then` goes on with."""

    def __init__(self, then: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.then = then


class HttpSite:
    """What is served; a native handler too. Bounds: all in WebOptions."""

    cuts: tuple[type[Exception], ...] = ()
    """What is raised where an answer has begun and cannot be completed: its peer must not take the part for
    all, so the connection is reset."""

    def __init__(
        self, options: WebOptions, clock: Clock, wall: Clock, access_log: ResponseLog | None = None
    ) -> None:
        self.options = options
        self.clock = clock
        self.times: ResponseTimes = ResponseTimes(clock)
        self.wall = wall
        self.access_log = access_log
        self.limits: MessageLimits = options.message_limits()
        self.parse: RequestParser = RequestParser(self.limits)
        rate = options.request_rate_max
        self.rates: RequestRates | None = RequestRates(rate, options.request_burst_max) if rate else None
        self.trusted: Networks = networks_of(options.trusted_proxies)
        self.fresh_until_us: int = 0
        self.looked_us: int = 0
        """When the clock was last looked at for that."""
        self.idle: Idle = Idle(self.serve, RECV_BYTES, options.keep_alive_timeout_us)
        self.hot: dict[bytes, bytes] = {}
        """Whole responses by the bytes of their requests, for the rest of this second; whose connections live
        on after them."""
        self.known: Mapping[bytes, bytes] = self.hot if self.rates is None else {}
        """Those of them that need not be counted by their client."""
        self.hot_facts: dict[bytes, tuple[int, int, int, str]] = {}
        """How each of them is logged: its status, the size of its body, 0 and the user."""
        self.h2: Callable[[HttpSite, Stream, bytes], Awaitable[bool]] | None = None
        if options.http2:
            from gossamer.shards.web.h2_connection import speaks  # a tenth of a start, for those who want it

            self.h2 = speaks
        self.is_ending: bool = False
        """Whether every answer closes its connection."""
        self.is_draining: bool = False
        self.has_warned_of_tls: bool = False
        self.common: AnswerSetting = AnswerSetting("")
        self.slow_total: int = 0
        self.responses_4xx_total: int = 0
        self.responses_5xx_total: int = 0

    # A connection.

    async def serve(self, stream: Stream) -> None:
        """Serve one connection to its end, or until it is parked; then on, when it has something to say."""
        receive = stream.recv_idle(self.idle)
        asker = self.asker_of(stream)
        then = None
        try:
            try:
                while not self.is_draining:
                    try:
                        data = await receive
                    except (TimeoutError, Draining):
                        data = await look_once_more(stream)
                        if not data:
                            await self.leave(stream)
                            break
                    response = self.known.get(data)
                    if response is not None and (began_us := self.clock()) < self.fresh_until_us:
                        self.times.hits_total += 1
                        if self.access_log is not None:
                            self.access_log(stream, data, *self.hot_facts[data])
                        await stream.send(response, self.options.write_timeout_us)
                        if self.times.turned_us > began_us:
                            self.times.record_since(began_us)
                        else:
                            self.times.at_once += 1
                        response = NOTHING
                        began_us = 0
                    elif not data or await self.converse(stream, data, asker) is False:
                        break
                    # An idle connection keeps nothing of the last request alive.
                    data = NOTHING
            except HandedOver as handed:
                then, data = handed.then, NOTHING
            if then is not None:
                await then()
            await stream.close()
        except self.cuts:
            await stream.abort()
        except Exception as error:  # noqa: BLE001 - whatever is a fault of ours goes on
            await self.end_by(stream, error)

    __call__ = serve

    def asker_of(self, _stream: Stream) -> Any:
        """What `converse` is to be told of who asks on a connection, beside its stream."""
        return None

    def converse(self, stream: Stream, data: bytes, asker: Any) -> Awaitable[bool | None]:
        """Answer what begins with these bytes; awaits to False where the connection is to end."""
        if self.h2 is not None and data.startswith(H2_BEGINNING):
            return self.h2(self, stream, data)
        return self.burst_of(stream, asker).run(data)

    def burst_of(self, stream: Stream, asker: Any) -> Burst:
        """What answers a burst of requests."""
        raise NotImplementedError

    def burst(self, stream: Stream) -> Burst:
        """The same, for whoever reads the requests of a connection itself."""
        return self.burst_of(stream, self.asker_of(stream))

    # The end of a connection.

    @staticmethod
    async def end_by(stream: Stream, error: Exception) -> None:
        """A connection has failed. Raises: the error, where the disk failed after the head was sent, or it is
        a bug of ours; the peer sees the connection end.
        """
        if isinstance(error, PeerLeftError):
            await stream.close()
            return
        await stream.abort()
        if not is_no_fault(stream, error):
            raise error

    async def leave(self, stream: Stream) -> None:
        """Say that an idle connection ends, and hear out a peer whose request has crossed that: it sees the
        end, and no reset. Raises: OSError.
        """
        if not self.is_draining:
            await Burst(self, stream).inbox.linger()

    # The end of the server.

    def begin_end(self) -> None:
        """From now on every answer closes its connection."""
        self.is_ending = True
        self.begin_second(0)

    def drain(self) -> None:
        """From now on no connection waits for another request, either."""
        self.is_draining = True
        self.begin_end()

    # What answers have in common.

    def setting(self) -> AnswerSetting:
        """What answers have in common now."""
        self.refresh()
        return self.common

    def refresh(self) -> None:
        """Begin a new second, if the last one is over."""
        self.looked_us = now_us = self.clock()
        if now_us >= self.fresh_until_us:
            self.begin_second(now_us + SECOND_US)

    def begin_second(self, fresh_until_us: int) -> None:
        """A new Date."""
        self.fresh_until_us = fresh_until_us
        now_s = self.wall() // SECOND_US
        self.common = AnswerSetting(
            common_lines(format_date(now_s), self.options.server, self.options.fields),
            self.options.server,
            self.options.ranges_max,
            now_s,
            is_draining=self.is_ending,
        )

    # Requests and answers.

    def is_too_often(self, stream: Stream) -> bool:
        """Whether a further request of its peer is one too many. A trusted proxy speaks for many clients."""
        if self.rates is None:
            return False
        host = stream.peer[0]
        return not is_among(host, self.trusted) and self.rates.wait_us(host, self.clock()) > 0

    def note(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, began_us: int, user: str = ""
    ) -> None:
        """Count a response, and log it with the time since its head was there."""
        self.slow_total += 1
        self.note_outcome(stream, head, status, body_bytes, began_us, user)

    def note_outcome(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, began_us: int, user: str = ""
    ) -> None:
        """As `note`, of a response that its caller counts among those that were ready at once."""
        if status >= 500:
            self.responses_5xx_total += 1
        elif status >= 400:
            self.responses_4xx_total += 1
        if self.access_log is not None:
            self.access_log(stream, head, status, body_bytes, self.clock() - began_us, user)

    def statistics(self) -> dict[str, int]:
        """Counters since the start."""
        return {
            "requests_total": self.times.hits_total + self.slow_total,
            "responses_4xx_total": self.responses_4xx_total,
            "responses_5xx_total": self.responses_5xx_total,
            **dict(self.times.statistics()),
        }

    def note_tls(self, stream: Stream) -> bytes:
        """A TLS hello has come: warned of once, since whoever sends it gets no answer that it understands."""
        if not self.has_warned_of_tls:
            self.has_warned_of_tls = True
            log.warning(
                "a TLS hello on the plain port %d, from %s: say http:// there; more of them are not logged",
                *(stream.local[1], stream.peer[0]),
            )
        return TLS_LINE
