"""What serves HTTP, whoever answers: the static site and an application are each one of these.

Owns what all connections of one have in common beside the answers: the fields of every response, remade each
second, the counters and the access log, how often a client may ask, how a connection ends.
"""

import logging
from typing import Final, Protocol

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.http.dates import format_date
from gossamer.core.http.forwarded import is_among, networks_of
from gossamer.core.http.request import RequestParser
from gossamer.core.io.serve import is_no_fault
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import AnswerSetting, common_lines
from gossamer.shards.web.burst import Burst
from gossamer.shards.web.inbox import PeerLeftError
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.request_rate import RequestRates
from gossamer.shards.web.response_times import ResponseTimes

TLS_LINE: Final = b"TLS hello\r\n"

log = logging.getLogger("gossamer.web")


class ResponseLog(Protocol):
    """What is called for every response; it must not block."""

    def __call__(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, duration_us: int = 0, user: str = ""
    ) -> None:
        """Note it. A response that was ready when its request came has taken no time."""


class HttpSite:
    """What is served. Bounds: all in WebOptions."""

    def __init__(
        self, options: WebOptions, clock: Clock, wall: Clock, access_log: ResponseLog | None = None
    ) -> None:
        self.options = options
        self.clock = clock
        self.times = ResponseTimes(clock)
        self.wall = wall
        self.access_log = access_log
        self.limits = options.message_limits()
        self.parse = RequestParser(self.limits)
        rate = options.request_rate_max
        self.rates = RequestRates(rate, options.request_burst_max) if rate else None
        self.trusted = networks_of(options.trusted_proxies)
        self.fresh_until_us = 0
        self.looked_us = 0
        """When the clock was last looked at for that."""
        self.is_ending = False
        """Whether every answer closes its connection."""
        self.is_draining = False
        self.has_warned_of_tls = False
        self.common = AnswerSetting("")
        self.slow_total = 0
        self.responses_4xx_total = 0
        self.responses_5xx_total = 0

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
        if status >= 500:
            self.responses_5xx_total += 1
        elif status >= 400:
            self.responses_4xx_total += 1
        if self.access_log is not None:
            self.access_log(stream, head, status, body_bytes, self.clock() - began_us, user)

    def note_tls(self, stream: Stream) -> bytes:
        """A TLS hello has come: warned of once, since whoever sends it gets no answer that it understands."""
        if not self.has_warned_of_tls:
            self.has_warned_of_tls = True
            log.warning(
                "a TLS hello on the plain port %d, from %s: say http:// there; more of them are not logged",
                *(stream.local[1], stream.peer[0]),
            )
        return TLS_LINE
