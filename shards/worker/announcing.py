"""Connections from proxies: each begins with a header that says whom it is for, before anything is served.

    listed address   ->  header within the time of a head  ->  announced, then served as any other
                     ->  anything else                     ->  closed, counted, logged
    any other        ->  served; nobody looks for a header there

Owns who must announce, the time for it, and what becomes of who does not. The form of a header is
`core.wire.proxy_protocol`. Nothing of it exists in a server without `web.proxy_protocol`.

Source: The PROXY protocol (haproxy/doc/proxy-protocol.txt), section 2: a receiver "must not try to guess
whether the PROXY protocol header is present or not".
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from gossamer.core.clock import Clock
from gossamer.core.errors import Draining
from gossamer.core.http.forwarded import Networks, is_among
from gossamer.core.io.serve import is_no_fault
from gossamer.core.io.stream import Stream
from gossamer.core.wire.proxy_protocol import ProxyHeaderError, announced, missing_bytes
from gossamer.shards.log.seldom import Seldom

Serve = Callable[[Stream], Coroutine[Any, Any, None]]

log = logging.getLogger("gossamer.web")


class Announcing:
    """Serves streams after their headers. Bounds: one header, read within `timeout_us`."""

    def __init__(
        self, serve: Serve, proxies: Networks, timeout_us: int, clock: Clock, *, with_unix: bool = False
    ) -> None:
        """`with_unix`: those that come by a Unix socket must announce too."""
        self._serve = serve
        self._proxies = proxies
        self._with_unix = with_unix
        self._timeout_us = timeout_us
        self._clock = clock
        self._refused_total = 0
        self._seldom = Seldom(clock)

    def statistics(self) -> dict[str, int]:
        """How many connections were closed for what they began with."""
        return {"proxy_headers_refused_total": self._refused_total}

    async def serve(self, stream: Stream) -> None:
        """Serve a connection once it is announced, where it has to be."""
        if not self._has_to_announce(stream) or await self._is_announced(stream):
            await self._serve(stream)

    def _has_to_announce(self, stream: Stream) -> bool:
        # Whoever comes by a Unix socket has no address.
        host = stream.peer[0]
        return is_among(host, self._proxies) if host else self._with_unix

    async def _is_announced(self, stream: Stream) -> bool:
        """Whether a header has come; the connection is closed where none has."""
        try:
            header = await self._header(stream)
            if header:
                stream.announce(announced(header))
                return True
            await stream.close()
        except (ProxyHeaderError, TimeoutError) as error:
            self._refuse(stream, error)
            await stream.abort()
        except Exception as error:
            await stream.abort()
            if not is_no_fault(stream, error):
                raise
        return False

    async def _header(self, stream: Stream) -> bytes:
        """A whole header; b"" where nothing comes: so proxies ask whether we are there, and leave; or the
        server drains. Raises: ProxyHeaderError, TimeoutError, OSError.
        """
        until_us = self._clock() + self._timeout_us
        header = b""
        while missing := missing_bytes(header):
            try:
                data = await stream.recv(missing, max(until_us - self._clock(), 1))
            except Draining:
                if header:
                    continue
                return b""
            if not data and header:
                raise ProxyHeaderError(f"it ended after {len(header)} octets")
            if not data:
                return b""
            header += data
        return header

    def _refuse(self, stream: Stream, error: Exception) -> None:
        self._refused_total += 1
        ending = self._seldom.ending()
        if ending is not None:
            why = error if isinstance(error, ProxyHeaderError) else "none came in time"
            log.warning(
                "a connection from the proxy %s was closed for its PROXY header: %s%s",
                *(stream.peer[0], why, ending),
            )
