"""What an ASGI application sends on a WebSocket: each message by its place and its fields. Pure.

Owns the table of these types, as `messages` owns that of HTTP and lifespan. It knows no connection.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format" 2.5, "WebSocket"; "Extensions", "Websocket Denial
Response".
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gossamer.core.errors import MisuseError
from gossamer.core.http.websocket import NORMAL_CLOSURE, check_close
from gossamer.shards.asgi.messages import (
    BodyPart,
    Message,
    MessageError,
    Rule,
    Stage,
    Start,
    field_lines,
    found,
    judge_start,
    judged,
    read_body,
    rule,
    taken,
)

Fields = tuple[tuple[str, str], ...]


class Accept(msgspec.Struct, frozen=True, gc=False):
    """websocket.accept"""

    subprotocol: str | None
    fields: Fields


class TextPart(msgspec.Struct, frozen=True, gc=False):
    """websocket.send of text"""

    text: str


class BinaryPart(msgspec.Struct, frozen=True, gc=False):
    """websocket.send of bytes"""

    data: bytes


class CloseCall(msgspec.Struct, frozen=True, gc=False):
    """websocket.close"""

    code: int
    reason: str


SocketPart = Accept | TextPart | BinaryPart | CloseCall | Start | BodyPart


def read_accept(message: Message) -> Accept:
    """websocket.accept"""
    subprotocol = message.get("subprotocol")
    if subprotocol is not None and not isinstance(subprotocol, str):
        raise found(message, "subprotocol", subprotocol, "a str that the client has offered, or None")
    lines = judged(message, *field_lines(message)).lines.decode("latin-1").split("\r\n")[:-1]
    pairs = (line.partition(":") for line in lines)
    return Accept(subprotocol, tuple((name, value.strip(" \t")) for name, _, value in pairs))


def read_send(message: Message) -> TextPart | BinaryPart:
    """websocket.send"""
    data, text = message.get("bytes"), message.get("text")
    if (data is None) == (text is None):
        which = "neither" if data is None else "both"
        raise MessageError(f"{message['type']}: found {which} of bytes and text; allowed: one")
    if data is None:
        if not isinstance(text, str):
            raise found(message, "text", text, "a str")
        return TextPart(text)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise found(message, "bytes", data, "bytes")
    return BinaryPart(bytes(data))


def read_close(message: Message) -> CloseCall:
    """websocket.close"""
    code, reason = message.get("code", NORMAL_CLOSURE), message.get("reason")
    if not isinstance(code, int) or isinstance(code, bool):
        raise found(message, "code", code, "a code of RFC 6455 7.4")
    if reason is not None and not isinstance(reason, str):
        raise found(message, "reason", reason, "a str, or None")
    try:
        check_close(code, reason or "")
    except MisuseError as error:
        raise MessageError(f"{message['type']}: {error}") from None
    return CloseCall(int(code), reason or "")


WEBSOCKET_RULES: Final[Mapping[str, Rule]] = {
    "websocket.accept": rule(read_accept, Stage.HANDSHAKE),
    "websocket.send": rule(read_send, Stage.OPEN),
    "websocket.close": rule(read_close, Stage.HANDSHAKE, Stage.OPEN),
    "websocket.http.response.start": rule(judge_start, Stage.HANDSHAKE),
    "websocket.http.response.body": rule(read_body, Stage.DENIAL),
}


def taken_of_socket(stage: Stage, message: object) -> SocketPart:
    """What a message says that came at this stage. Raises: MessageError."""
    part: SocketPart = taken(WEBSOCKET_RULES, stage, message)
    return part


def stage_after(stage: Stage, part: SocketPart) -> Stage:
    """Where the messages stand after that one."""
    if isinstance(part, Accept):
        return Stage.OPEN
    if isinstance(part, CloseCall):
        return Stage.CLOSED
    if isinstance(part, Start):
        return Stage.DENIAL
    if isinstance(part, BodyPart) and part.is_last:
        return Stage.CLOSED
    return stage
