"""Connections that speak TLS: each shakes hands before anything is served.

    handshake in time      ->  served as any other, through TLS
    a plain HTTP request   ->  400 in plain text, counted, logged
    anything else          ->  an alert where OpenSSL has one, closed, counted, logged
    not a single octet     ->  closed: so it is asked whether we are there

Owns what becomes of who does not shake hands. Nothing of it is loaded where no certificate is configured. A
connection of TLS stays with its worker: its keys and its place in the streams of records are OpenSSL's.

Source: RFC 8446; RFC 9110 15.5.1.
"""

import logging
import re
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.errors import Draining
from gossamer.core.io.lingering import linger
from gossamer.core.io.stream import Stream
from gossamer.core.tls.errors import NotTlsError, TlsError
from gossamer.core.tls.stream import TlsStream, served
from gossamer.shards.log.seldom import Seldom

Serve = Callable[[Stream], Coroutine[Any, Any, None]]

HTTP_BEGIN: Final = re.compile(rb"[A-Z]{3,16} [/*h]")
"""A request line begins so: a method, and a target (RFC 9112 3)."""
BODY: Final = b"This port speaks TLS: say https:// instead of http:// here.\n"
PLAIN_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b" % (len(BODY), BODY)
)
ANSWER_US: Final = SECOND_US
"""How long that may wait for room in the send buffer."""

log = logging.getLogger("gossamer.web")


class Encrypting:
    """Serves streams after their handshakes. Bounds: a handshake, within `timeout_us`."""

    def __init__(self, serve: Serve, context: ssl.SSLContext, timeout_us: int, clock: Clock) -> None:
        self._serve = serve
        self._context = context
        self._timeout_us = timeout_us
        self._clock = clock
        self._plain = Seldom(clock)
        self._failures = Seldom(clock)
        self._done_total = 0
        self._resumed_total = 0
        self._failed_total = 0
        self._plain_total = 0

    def statistics(self) -> dict[str, int]:
        """How many handshakes came to their end, how many of them went on with a session, and how many
        connections were closed for what they began with."""
        return {
            "tls_handshakes_total": self._done_total,
            "tls_resumed_total": self._resumed_total,
            "tls_failed_total": self._failed_total,
            "tls_plain_total": self._plain_total,
        }

    async def serve(self, stream: Stream) -> None:
        """Serve a connection once it has shaken hands."""
        tls = served(stream, self._context, self._timeout_us)
        if await self._is_shaken(tls):
            self._done_total += 1
            self._resumed_total += tls.is_resumed
            await self._serve(tls)

    async def _is_shaken(self, tls: TlsStream) -> bool:
        """Whether the handshake has come to its end; the connection is closed where it has not."""
        while True:
            try:
                await tls.handshake()
                return True
            except Draining:
                if tls.machine.has_begun:
                    continue  # It has its time, and comes to its end.
                await tls.close()
            except NotTlsError as error:
                await self._refuse_plain(tls.inner, error.received)
            except (TlsError, TimeoutError) as error:
                await self._give_up(tls, error)
            except OSError:
                await tls.abort()  # The peer has left.
            return False

    async def _refuse_plain(self, stream: Stream, received: bytes) -> None:
        if not HTTP_BEGIN.match(received):
            await self._give_up(stream, NotTlsError("what came first is neither TLS nor HTTP"))
            return
        self._plain_total += 1
        ending = self._plain.ending()
        if ending is not None:
            log.warning(
                "a plain HTTP request on the TLS port %d, from %s, was answered 400: say https:// there%s",
                *(stream.local[1], stream.peer[0], ending),
            )
        try:
            await stream.send_last(PLAIN_ANSWER, ANSWER_US)
        except OSError:
            await stream.abort()
        else:
            await self._hear_out(stream)

    async def _give_up(self, stream: Stream, error: OSError) -> None:
        if isinstance(stream, TlsStream) and not stream.machine.has_begun and isinstance(error, TlsError):
            await stream.close()
            return
        self._failed_total += 1
        ending = self._failures.ending()
        if ending is not None:
            log.info("no TLS with %s: %s%s", stream.peer[0] or "a Unix socket", error, ending)
        await stream.abort()

    async def _hear_out(self, stream: Stream) -> None:
        """The plain answer reaches a peer that is sending still."""
        try:
            await linger(stream, self._clock)
            await stream.close()
        except OSError:
            await stream.abort()
