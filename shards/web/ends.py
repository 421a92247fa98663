"""Who asks, and where: both ends of a connection, and what trusted proxies say of the one behind them. Pure.

Owns what every kind of application is told of it alike, by ASGI and by WSGI.
"""

from typing import Final

import msgspec

from gossamer.core.http.forwarded import Networks, client_address, forwarded_scheme, hops_of, is_among
from gossamer.core.http.request import Request
from gossamer.core.io.stream import Stream
from gossamer.core.tls.facts import TlsFacts
from gossamer.core.wire.flow import Address
from gossamer.shards.web.h2_stream import H2Stream


class Proxies(msgspec.Struct, frozen=True):
    """Whose word is taken for whom they heard, and in which field they say it (`web.trusted_proxies`)."""

    trusted: Networks = ()
    field: str = "x-forwarded-for"


NO_PROXIES: Final = Proxies()


class Ends(msgspec.Struct, frozen=True):
    """Both ends of a connection, as its stream names them, and what it is for."""

    peer: Address
    local: Address
    scheme: str = "http"
    tls: TlsFacts | None = None
    """What was agreed on; None where the connection is plain."""
    version: str = ""
    """Of HTTP, where no request says it: "2" for a stream of HTTP/2, whose request is written as one of
    HTTP/1.1."""


def ends_of(stream: Stream) -> Ends:
    """Those of a stream."""
    tls = stream.tls
    version = "2" if isinstance(stream, H2Stream) else ""
    return Ends(stream.peer, stream.local, "http" if tls is None else "https", tls, version)


def client_of(request: Request, ends: Ends, proxies: Proxies) -> tuple[tuple[str, int] | None, str]:
    """Who asks and by which scheme, as far as trusted proxies say; None where it has no address.

    Of a client that a proxy names the port is not known, and 0.
    """
    host, port = ends.peer
    peer = (host, port) if is_network(ends.peer) else None
    if not proxies.trusted or peer is None or not is_among(host, proxies.trusted):
        return peer, ends.scheme
    said = request.field(proxies.field)
    client = client_address(host, hops_of(proxies.field, said), proxies.trusted) if said else host
    scheme = forwarded_scheme(proxies.field, request.field) or ends.scheme
    return (peer if client == host else (client, 0)), scheme


def is_network(address: Address) -> bool:
    """Whether it is one of IP; that of a Unix socket is a path, or nothing, and 0."""
    host, _ = address
    return bool(host) and "/" not in host and host[0] != "@"
