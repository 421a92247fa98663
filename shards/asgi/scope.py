"""The scope of a request: what an ASGI application is told of it before anything else. Pure.

Owns each key and how it is made of our own `Request`. A scope is the application's: every one is made anew,
and may be changed by whoever has it.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format" 2.5, "Lifespan Protocol" 2.0, "Extensions".
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from gossamer.core.http.forwarded import is_among
from gossamer.core.http.request import Request
from gossamer.core.wire.flow import Address
from gossamer.shards.asgi.tls import tls_extension
from gossamer.shards.web.ends import NO_PROXIES, Ends, Proxies, client_of, is_network

Scope = dict[str, Any]

ASGI_VERSION: Final = "3.0"
SPEC_VERSION: Final = "2.5"
LIFESPAN_VERSION: Final = "2.0"
TLS: Final = "tls"
"""An extension that is of the connection."""
SOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}
HTTP_VERSIONS: Final = ("1.0", "1.1")


def http_scope(
    request: Request,
    ends: Ends,
    root_path: str = "",
    proxies: Proxies = NO_PROXIES,
    state: Mapping[str, Any] | None = None,
) -> Scope:
    """The scope of an HTTP request. `root_path` is where the application stands, which whoever passes the
    request on has taken off; `state` is what its lifespan has left, of which each request has a copy.
    """
    known = connection_scope(request, ends, proxies)
    return whole_scope(request_scope(request, root_path), known, state)


def request_scope(request: Request, root_path: str = "") -> Scope:
    """The part of a scope that says what was asked: the same for the same bytes of a request."""
    target, _, query = request.target.partition("?")
    raw_path = target.encode("latin-1")
    return {
        "type": "http",
        "http_version": HTTP_VERSIONS[request.minor],
        "method": request.method,
        "path": root_path + decoded(target, raw_path),
        "raw_path": root_path.encode("utf-8") + raw_path if root_path else raw_path,
        "query_string": query.encode("latin-1"),
        "root_path": root_path,
        "headers": header_pairs(request),
    }


def connection_scope(request: Request, ends: Ends, proxies: Proxies) -> Scope:
    """The part that says who asks, and where: where no proxy is trusted, the same for all requests of a
    connection."""
    client, scheme = client_of(request, ends, proxies)
    known: Scope = {"client": client, "scheme": scheme, "server": server_of(ends.local)}
    if ends.version:
        known["http_version"] = ends.version
    if ends.tls is not None:
        known[TLS] = tls_extension(ends.tls)
    return known


class Asker:
    """Who asks on one connection: what that adds to each scope."""

    __slots__ = ("_ends", "_proxies", "_scope")

    def __init__(self, ends: Ends, proxies: Proxies = NO_PROXIES) -> None:
        self._ends = ends
        self._proxies = proxies
        self._scope: Scope | None = None
        """Where no request says more of it than the connection does."""

    def asked(self, asked: Scope) -> Scope:
        """A scope of a request, without what only HTTP/1.1 says of its framing."""
        if self._ends.version:
            asked["headers"] = [pair for pair in asked["headers"] if pair[0] != b"transfer-encoding"]
        return asked

    def scope_of(self, request: Request) -> Scope:
        """See `connection_scope`."""
        if self._scope is not None:
            return self._scope
        scope = connection_scope(request, self._ends, self._proxies)
        if not self._proxies.trusted or not is_among(self._ends.peer[0], self._proxies.trusted):
            self._scope = scope
        return scope


def whole_scope(asked: Scope, known: Scope, state: Mapping[str, Any] | None) -> Scope:
    """A scope of its parts. It is the application's: what could be changed in it is no other's."""
    scope = {**asked, **known}
    scope["asgi"] = {"version": ASGI_VERSION, "spec_version": SPEC_VERSION}
    scope["headers"] = asked["headers"].copy()
    scope["extensions"] = {
        "http.response.early_hint": {},
        "http.response.pathsend": {},
        "http.response.trailers": {},
        "http.response.zerocopysend": {},
    }
    if TLS in known:
        scope["extensions"][TLS] = scope.pop(TLS).copy()
    if state is not None:
        scope["state"] = dict(state)
    return scope


def socket_scope(scope: Scope, subprotocols: tuple[str, ...]) -> Scope:
    """The scope of a WebSocket, of that of the request that is its handshake. It is changed."""
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = SOCKET_SCHEMES[scope["scheme"]]
    scope["subprotocols"] = list(subprotocols)
    tls = scope["extensions"].get(TLS)
    scope["extensions"] = {"websocket.http.response": {}} | ({} if tls is None else {TLS: tls})
    return scope


def lifespan_scope(state: dict[str, Any]) -> Scope:
    """The scope of a lifespan; what the application puts into `state`, its requests find."""
    return {
        "type": "lifespan",
        "asgi": {"version": ASGI_VERSION, "spec_version": LIFESPAN_VERSION},
        "state": state,
    }


def decoded(target: str, raw_path: bytes) -> str:
    """A path as text: percent-encoding undone, UTF-8 read; what is none is U+FFFD."""
    if "%" not in target and target.isascii():
        return target
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")


def header_pairs(request: Request) -> list[tuple[bytes, bytes]]:
    """The header fields in their order, names in lower case."""
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.fields]


def server_of(local: Address) -> tuple[str, int | None] | None:
    """Where it was asked: an address and a port, or the path of a Unix socket and None."""
    host, port = local
    if is_network(local):
        return host, port
    return (host, None) if host else None
