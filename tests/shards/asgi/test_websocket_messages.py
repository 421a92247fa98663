"""Every message of an application on a WebSocket: in its place, in every other, with every field wrong."""

from typing import Any

import pytest

from gossamer.shards.asgi.messages import BodyPart, MessageError, Stage, Start
from gossamer.shards.asgi.websocket_messages import (
    WEBSOCKET_RULES,
    Accept,
    BinaryPart,
    CloseCall,
    SocketPart,
    TextPart,
    stage_after,
    taken_of_socket,
)

GOOD: dict[str, dict[str, Any]] = {
    "websocket.accept": {},
    "websocket.send": {"text": "x"},
    "websocket.close": {},
    "websocket.http.response.start": {"status": 401},
    "websocket.http.response.body": {"body": b"x"},
}
ORDER = {
    Stage.HANDSHAKE: ["websocket.accept", "websocket.close", "websocket.http.response.start"],
    Stage.DENIAL: ["websocket.http.response.body"],
    Stage.OPEN: ["websocket.send", "websocket.close"],
    Stage.CLOSED: [],
}


def test_order__each_type_at_each_stage() -> None:
    assert WEBSOCKET_RULES.keys() == GOOD.keys()
    for stage, allowed in ORDER.items():
        for kind, fields in GOOD.items():
            if kind in allowed:
                taken_of_socket(stage, {"type": kind, **fields})
                continue
            with pytest.raises(MessageError) as error:
                taken_of_socket(stage, {"type": kind, **fields})
            said = str(error.value)
            assert said.startswith(f"send: found {kind} "), said
            assert said.endswith(f"; allowed: {', '.join(allowed) or 'nothing more'}"), said
        with pytest.raises(MessageError, match="found type 'http"):
            taken_of_socket(stage, {"type": "http.response.start", "status": 200})


WRONG: dict[tuple[str, str], list[Any]] = {
    ("websocket.accept", "subprotocol"): [5, b"x", ["x"], True],
    ("websocket.accept", "headers"): [5, b"a: b", [("a", "b")], [(b"a", b"b\r\nc: d")], [(b"a b", b"c")]],
    ("websocket.send", "text"): [5, b"x", ["x"], True],
    ("websocket.close", "code"): [None, "1000", 2.5, True, [], 0, 999, 1005, 1006, 1015, 2999, 5000],
    ("websocket.close", "reason"): [5, b"x", "x" * 200, "\xe4" * 100],
    ("websocket.http.response.start", "status"): [None, "200", 101, True],
    ("websocket.http.response.body", "body"): [None, "x", 5],
}


@pytest.mark.parametrize(("kind", "field"), WRONG)
def test_field__of_every_wrong_type__named_in_one_line(kind: str, field: str) -> None:
    for value in WRONG[kind, field]:
        with pytest.raises(MessageError) as error:
            taken_of_socket(WEBSOCKET_RULES[kind].stages[0], {"type": kind, **GOOD[kind], field: value})
        said = str(error.value)
        assert said.startswith(f"{kind}: {field}: found "), (value, said)
        assert "allowed" in said, (value, said)
        assert "\n" not in said, (value, said)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "neither of bytes and text"),
        ({"text": None, "bytes": None}, "neither of bytes and text"),
        ({"text": "x", "bytes": b"x"}, "both of bytes and text"),
        ({"bytes": "x"}, "bytes: found 'x'"),
        ({"bytes": 5}, "bytes: found 5"),
    ],
)
def test_send__of_nothing_or_of_both__refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(MessageError, match=said):
        taken_of_socket(Stage.OPEN, {"type": "websocket.send", **fields})


def read(kind: str, **fields: Any) -> SocketPart:
    return taken_of_socket(WEBSOCKET_RULES[kind].stages[0], {"type": kind, **fields})


def test_messages__as_they_are_read() -> None:
    assert read("websocket.accept") == Accept(None, ())
    headers = [(b"x", b" 1 "), (b"Connection", b"close")]
    assert read("websocket.accept", subprotocol="chat", headers=headers) == Accept("chat", (("x", "1"),))
    assert read("websocket.send", text="") == TextPart("")
    assert read("websocket.send", bytes=b"", text=None) == BinaryPart(b"")
    assert read("websocket.send", bytes=memoryview(b"x")) == BinaryPart(b"x")
    assert read("websocket.close") == CloseCall(1000, "")
    assert read("websocket.close", code=4000, reason="bye") == CloseCall(4000, "bye")
    assert isinstance(read("websocket.http.response.start", status=401), Start)


def test_stages__follow_what_was_sent() -> None:
    start = read("websocket.http.response.start", status=401)
    steps: list[tuple[Stage, SocketPart, Stage]] = [
        (Stage.HANDSHAKE, Accept(None, ()), Stage.OPEN),
        (Stage.HANDSHAKE, CloseCall(1000, ""), Stage.CLOSED),
        (Stage.HANDSHAKE, start, Stage.DENIAL),
        (Stage.DENIAL, BodyPart(b"", is_last=False), Stage.DENIAL),
        (Stage.DENIAL, BodyPart(b"", is_last=True), Stage.CLOSED),
        (Stage.OPEN, TextPart("x"), Stage.OPEN),
        (Stage.OPEN, BinaryPart(b"x"), Stage.OPEN),
        (Stage.OPEN, CloseCall(1000, ""), Stage.CLOSED),
    ]
    assert [stage_after(stage, part) for stage, part, _ in steps] == [after for *_, after in steps]
