"""The opening handshake: what is one, what the answer says, and how each breach of RFC 6455 4.2.1 is
answered.
"""

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.http.request import Refusal, Request, parse_request
from gossamer.core.http.websocket_handshake import (
    WebSocketOffer,
    accept_offer,
    asks_for_websocket,
    read_offer,
    refuse_handshake,
)

LINES = {
    "Host": "a",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
"""The example of RFC 6455 1.2, without what is not asked for."""


def request(line: str = "GET /chat HTTP/1.1", **changed: str | None) -> Request:
    """That handshake with other fields: `_` stands for "-", None takes one out."""
    fields: dict[str, str | None] = {
        **LINES,
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    parsed = parse_request(f"{line}\r\n{text}\r\n".encode("latin-1"))
    assert isinstance(parsed, Request), parsed
    return parsed


def offer(**changed: str | None) -> WebSocketOffer:
    found = read_offer(request(**changed))
    assert isinstance(found, WebSocketOffer), found
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"},
        {"Upgrade": "h2c, websocket"},
        {"Sec_WebSocket_Protocol": "chat, superchat", "Origin": "http://example.com"},
        {"Sec_WebSocket_Extensions": 'permessage-deflate; client_max_window_bits, x; a="b"'},
    ],
    ids=["as in 1.2", "any case, as Firefox", "in a list", "subprotocols", "extensions"],
)
def test_handshake__is_read(changed: dict[str, str | None]) -> None:
    assert asks_for_websocket(request(**changed))
    assert offer(**changed).key == LINES["Sec-WebSocket-Key"]


BREACHES: dict[str, tuple[int, dict[str, str | None]]] = {
    "4.2.1, 1: not a GET": (400, {"line": "PUT /chat HTTP/1.1"}),
    "4.2.1, 1: HTTP/1.0": (400, {"line": "GET /chat HTTP/1.0"}),
    "a body, which would be read as frames": (400, {"Content-Length": "6"}),
    "a body in chunks": (400, {"Transfer-Encoding": "chunked"}),
    "4.2.1, 3: no Upgrade": (426, {"Upgrade": None}),
    "4.2.1, 3: another Upgrade": (426, {"Upgrade": "h2c"}),
    "4.2.1, 4: no Connection": (426, {"Connection": None}),
    "4.2.1, 4: another Connection": (426, {"Connection": "keep-alive"}),
    "4.2.1, 5: no key": (400, {"Sec_WebSocket_Key": None}),
    "4.2.1, 5: a short key": (400, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZQ=="}),
    "4.2.1, 5: not base64": (400, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ!="}),
    "4.2.1, 5: not ASCII": (400, {"Sec_WebSocket_Key": "\xe9GhlIHNhbXBsZSBub25jZQ=="}),
    "4.2.1, 6: no version": (426, {"Sec_WebSocket_Version": None}),
    "4.2.1, 6: another version": (426, {"Sec_WebSocket_Version": "8"}),
    "4.2.1, 8: not a list of tokens": (400, {"Sec_WebSocket_Protocol": "a b"}),
    "4.1, 10: one subprotocol twice": (400, {"Sec_WebSocket_Protocol": "a, a"}),
    "9.1: not a list of extensions": (400, {"Sec_WebSocket_Extensions": "permessage-deflate;;"}),
    "9.1: a quoted value that is no token": (400, {"Sec_WebSocket_Extensions": 'a; b="c d"'}),
}


@pytest.mark.parametrize(("status", "changed"), BREACHES.values(), ids=BREACHES)
def test_breach__is_refused(status: int, changed: dict[str, str]) -> None:
    refusal = read_offer(request(**changed))
    assert isinstance(refusal, Refusal)
    assert refusal.status == status
    answer = refuse_handshake(refusal)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head
    assert b"\r\nConnection: close" in head
    # 4.4: "the server MUST respond with [...] a |Sec-WebSocket-Version| header field"
    assert (b"\r\nSec-WebSocket-Version: 13" in head) == (status == 426)


def test_no_offer__of_a_websocket__is_not_taken_for_one() -> None:
    assert not asks_for_websocket(request(Upgrade=None))
    assert not asks_for_websocket(request(Upgrade="h2c"))


def test_accepted__says_what_rfc_6455_1_3_does() -> None:
    head, connection = accept_offer(offer())
    assert head == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    assert connection.is_open


def test_accepted__with_a_subprotocol_and_fields_of_the_applications_own() -> None:
    head, _ = accept_offer(offer(Sec_WebSocket_Protocol="chat, superchat"), "superchat", [("X-A", "1")])
    assert head.endswith(b"\r\nSec-WebSocket-Protocol: superchat\r\nX-A: 1\r\n\r\n")


def test_subprotocol_that_was_not_offered__is_the_callers_mistake() -> None:
    with pytest.raises(MisuseError, match="subprotocol: found 'other'"):
        accept_offer(offer(Sec_WebSocket_Protocol="chat"), "other")


def test_field_that_is_the_handshakes__is_the_callers_mistake() -> None:
    with pytest.raises(MisuseError, match="fields: found 'sec-websocket-ACCEPT'"):
        accept_offer(offer(), None, [("sec-websocket-ACCEPT", "x")])


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
        ),
        # RFC 7692 5.1: what cannot be met is declined, and the next offer looked at.
        (
            "permessage-deflate; server_max_window_bits=99, permessage-deflate",
            "permessage-deflate; server_max_window_bits=12",
        ),
        ("permessage-deflate; a=1", ""),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""),
        ("x-webkit-deflate-frame", ""),
    ],
)
def test_deflate__is_agreed_on(offered: str, agreed: str) -> None:
    head, _ = accept_offer(offer(Sec_WebSocket_Extensions=offered))
    line = f"\r\nSec-WebSocket-Extensions: {agreed}\r\n".encode() if agreed else b"\r\n\r\n"
    assert line in head
    assert (b"Sec-WebSocket-Extensions" in head) == bool(agreed)


def test_deflate__is_not_where_the_server_does_not_want_it() -> None:
    head, _ = accept_offer(offer(Sec_WebSocket_Extensions="permessage-deflate"), deflate=False)
    assert b"Extensions" not in head
