"""A connection's requests under their timeouts: for the static site and for native handlers.

Owns how long a peer may take over a head and over a body, and how fast a body must come. It decides nothing
about answers. Source: RFC 9110 15.5.9 (408), RFC 9112 9.5.
"""

from typing import Final

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.errors import Draining
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Refusal, Request
from gossamer.core.io.lingering import linger
from gossamer.core.io.stream import Stream
from gossamer.shards.web.options import WebOptions

RECV_BYTES: Final = 16384
"""Asked of the stream at a time while heads are read."""
BODY_RECV_BYTES: Final = 65536
"""Asked of the stream at a time while a body is read."""

NOT_BEGUN: Final = -1
"""The deadline of a head that nobody had to wait for: most come whole."""

TOO_SLOW: Final = Refusal(408, "too slow")


LAST_LOOK_US: Final = 1
"""Enough for one more look at what the network has brought."""


class PeerLeftError(Exception):
    """The peer closed in the middle of a message: there is nobody to answer."""


class Inbox:
    """What one connection sends. Bounds: those of its reader, and one recv."""

    __slots__ = (
        "body_bytes_total",
        "body_started_us",
        "clock",
        "deadline_us",
        "is_draining",
        "options",
        "reader",
        "stream",
    )

    def __init__(self, stream: Stream, reader: RequestReader, options: WebOptions, clock: Clock) -> None:
        self.stream: Stream = stream
        self.reader: RequestReader = reader
        self.options: WebOptions = options
        self.clock: Clock = clock
        self.deadline_us: int = NOT_BEGUN
        self.is_draining: bool = False
        self.body_started_us: int = 0
        self.body_bytes_total: int = 0

    def begin_head(self) -> None:
        """The next head begins; its time is counted from when it is first waited for."""
        self.deadline_us = NOT_BEGUN

    def await_body(self) -> None:
        """The time for a body begins now."""
        self.body_started_us = self.clock()
        self.body_bytes_total = 0

    async def more_of_head(self) -> Refusal | None:
        """Wait for more of a head; a Refusal when its time is over. Raises: PeerLeftError, OSError."""
        if self.deadline_us == NOT_BEGUN:
            self.deadline_us = self.clock() + self.options.head_timeout_us
        return await self.more(self.deadline_us)

    async def more(self, deadline_us: int, bytes_max: int = RECV_BYTES) -> Refusal | None:
        """Wait for more input; a Refusal when the time is over. Raises: PeerLeftError, OSError."""
        while True:
            left_us = deadline_us - self.clock()
            if left_us <= 0:
                return TOO_SLOW
            try:
                data = await self.stream.recv(bytes_max, left_us)
            except TimeoutError:
                return TOO_SLOW
            except Draining:
                # In the middle of a request: it is answered first, then the connection closes.
                self.is_draining = True
                continue
            if not data:
                raise PeerLeftError
            self.reader.receive(data)
            return None

    async def next_request(self) -> Request | Refusal | None:
        """The next request; None when the peer closed, stayed idle too long, or the server drains.

        Raises: PeerLeftError, OSError.
        """
        if self.is_draining or not (self.reader.has_input or await self.wait_idle()):
            return None
        self.begin_head()
        while True:
            request = self.reader.next_request()
            if request is not None:
                self.await_body()
                return request
            late = await self.more_of_head()
            if late is not None:
                return late

    async def wait_idle(self) -> bool:
        """Wait for the first bytes of a request; whether they came. Raises: OSError."""
        try:
            data = await self.stream.recv(RECV_BYTES, self.options.keep_alive_timeout_us)
        except (TimeoutError, Draining) as end:
            self.is_draining = isinstance(end, Draining)
            data = await look_once_more(self.stream)
        self.reader.receive(data)
        return bool(data)

    async def next_body(self) -> bytes | Refusal:
        """The next bytes of the request's body, b"" at its end. Raises: PeerLeftError, OSError."""
        while True:
            data = self.reader.next_body()
            if data is not None:
                if isinstance(data, bytes):
                    self.body_bytes_total += len(data)
                return data
            late = await self.more(self.body_deadline_us(), BODY_RECV_BYTES)
            if late is not None:
                return late

    async def drop_body(self) -> bool:
        """Read and drop what is left of a body that nobody wants; whether its end was found, at most
        `body_discard_bytes_max` octets on. Raises: PeerLeftError, OSError."""
        left_bytes = self.options.body_discard_bytes_max
        while left_bytes >= 0:
            data = await self.next_body()
            if isinstance(data, Refusal):
                break
            if not data:
                return True
            left_bytes -= len(data)
        return False

    def body_deadline_us(self) -> int:
        """Until when the next piece of a body must come: no long silence, and no dribble for ever."""
        silence_us = self.clock() + self.options.body_timeout_us
        if not self.options.body_rate_min_bytes:
            return silence_us
        earned_us = self.body_bytes_total * SECOND_US // self.options.body_rate_min_bytes
        return min(silence_us, self.body_started_us + self.options.body_timeout_us + earned_us)

    async def linger(self) -> None:
        """End in stages, so that the last answer arrives. Raises: OSError."""
        options = self.options
        await linger(self.stream, self.clock, options.linger_timeout_us, options.linger_bytes_max)


async def look_once_more(stream: Stream) -> bytes:
    """The request that came while the time of an idle connection ended, which is answered all the same; b""
    when there is none. Raises: OSError.
    """
    try:
        return await stream.recv(RECV_BYTES, LAST_LOOK_US)
    except (TimeoutError, Draining):
        return b""
