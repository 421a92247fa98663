"""The opening handshake of a WebSocket: from a request to an offer, and to the bytes that answer it.

Owns what a request must have to become a WebSocket, and what the answer says; which subprotocol is spoken,
and whether anybody is let in, others decide. Frames are `core.http.websocket`'s. It knows no socket and no
clock.

Source: RFC 6455 4.2, RFC 7692 7.1 (permessage-deflate).
"""

import base64
import binascii
from collections.abc import Sequence
from hashlib import sha1
from typing import Final

import msgspec
from websockets.exceptions import InvalidHeaderFormat, NegotiationError
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

from gossamer.core.errors import misuse
from gossamer.core.http.fields import connection_options, list_members
from gossamer.core.http.grammar import ONE_TOKEN
from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.response import closing_answer, response_head
from gossamer.core.http.websocket import DEFAULT_WEBSOCKET_LIMITS, WebSocketConnection, WebSocketLimits

GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 1.3."""
VERSION: Final = "13"
KEY_BYTES: Final = 16

WINDOW_BITS: Final = 12
DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS, compress_settings={"memLevel": 5}
)
"""Windows of 4 KiB: what a connection holds for both ways is about 64 KiB, with 15 bits it would be 300."""

OURS: Final = frozenset(
    {"connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"}
)
"""Fields of the answer that nobody else may set."""

UPGRADE: Final = ("Upgrade", "websocket")


class WebSocketOffer(msgspec.Struct, frozen=True):
    """What a client's handshake offers."""

    key: str
    subprotocols: tuple[str, ...]
    """In the client's order of preference."""
    extensions: str
    """The field as it came; "" without one."""


def asks_for_websocket(request: Request) -> bool:
    """Whether a request is meant to open a WebSocket; whether it does so rightly, `read_offer` says."""
    upgrade = request.table.get("upgrade")
    return upgrade is not None and "websocket" in [name.lower() for name in list_members(upgrade)]


def read_offer(request: Request) -> WebSocketOffer | Refusal:
    """Judge a handshake by RFC 6455 4.2.1."""
    if not asks_for_websocket(request) or "upgrade" not in connection_options(request.table):
        return Refusal(426, "not a WebSocket handshake")
    # 4.2.1, 1: "An HTTP/1.1 or higher GET request"
    if request.method != "GET" or request.minor < 1:
        return Refusal(400, "a WebSocket handshake is a GET of HTTP/1.1")
    # What follows the head are frames: a body there would be read as such by one of two parsers.
    if request.has_body:
        return Refusal(400, "a WebSocket handshake has no body")
    # 4.2.2, 4: "If this version does not match a version understood by the server, the server MUST abort the
    # WebSocket handshake [...] and instead send an appropriate HTTP error code (such as 426 Upgrade Required)
    # and a |Sec-WebSocket-Version| header field".
    if request.field("sec-websocket-version") != VERSION:
        return Refusal(426, "only version 13 of WebSocket is spoken here")
    key = request.field("sec-websocket-key") or ""
    if not is_key(key):
        return Refusal(400, "bad Sec-WebSocket-Key")
    subprotocols = list_members(request.field("sec-websocket-protocol") or "")
    if not all(map(ONE_TOKEN.fullmatch, subprotocols)) or len(set(subprotocols)) != len(subprotocols):
        return Refusal(400, "bad Sec-WebSocket-Protocol")
    extensions = request.field("sec-websocket-extensions") or ""
    if not is_extension_list(extensions):
        return Refusal(400, "bad Sec-WebSocket-Extensions")
    return WebSocketOffer(key, tuple(subprotocols), extensions)


def is_key(text: str) -> bool:
    """4.2.1, 5: "a base64-encoded [...] value that, when decoded, is 16 bytes in length"."""
    try:
        return len(base64.b64decode(text.encode("ascii"), validate=True)) == KEY_BYTES
    except (binascii.Error, UnicodeEncodeError):
        return False


def is_extension_list(text: str) -> bool:
    """Whether it is what 9.1 allows; "" stands for no field."""
    if not text:
        return True
    try:
        parse_extension(text)
    except InvalidHeaderFormat:
        return False
    return True


def accept_key(key: str) -> str:
    """4.2.2, 5.4: the proof that the handshake was read by somebody who knows WebSocket.

    >>> from gossamer.core.http.websocket_handshake import accept_key
    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")  # the example of RFC 6455 1.3
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return base64.b64encode(sha1((key + GUID).encode("ascii"), usedforsecurity=False).digest()).decode()


def accept_offer(
    offer: WebSocketOffer,
    subprotocol: str | None = None,
    fields: Sequence[tuple[str, str]] = (),
    *,
    deflate: bool = True,
    limits: WebSocketLimits = DEFAULT_WEBSOCKET_LIMITS,
) -> tuple[bytes, WebSocketConnection]:
    """The head that accepts, `fields` in it, and the connection that begins behind it.

    Raises: MisuseError for a subprotocol that was not offered, or a field that is the handshake's own.
    """
    if subprotocol is not None and subprotocol not in offer.subprotocols:
        raise misuse("subprotocol", subprotocol, f"what the client offers: {', '.join(offer.subprotocols)}")
    for name, _ in fields:
        if name.lower() in OURS:
            raise misuse("fields", name, "any field that is not the handshake's own")
    answer = [UPGRADE, ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(offer.key))]
    agreed, extension = negotiate_deflate(offer.extensions) if deflate else ("", None)
    if agreed:
        answer.append(("Sec-WebSocket-Extensions", agreed))
    if subprotocol is not None:
        answer.append(("Sec-WebSocket-Protocol", subprotocol))
    return response_head(101, [*answer, *fields]), WebSocketConnection(limits, extension)


def negotiate_deflate(extensions: str) -> tuple[str, PerMessageDeflate | None]:
    """The first offer of permessage-deflate that can be met: the answer's field, and what codes the frames.

    RFC 7692 5.1: "A server MUST decline an extension negotiation offer" whose parameters it does not know, or
    that stand twice. Other extensions are none of ours.
    """
    for name, parameters in parse_extension(extensions) if extensions else ():
        if name != DEFLATE.name:
            continue
        try:
            agreed, extension = DEFLATE.process_request_params(parameters, [])
        except NegotiationError:
            continue
        return build_extension([(name, agreed)]), extension
    return "", None


def refuse_handshake(refusal: Refusal) -> bytes:
    """The whole answer to a handshake that is none; the connection closes after it."""
    fields = [UPGRADE, ("Sec-WebSocket-Version", VERSION)] if refusal.status == 426 else []
    return closing_answer(refusal.status, refusal.reason, fields)
