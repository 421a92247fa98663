"""What an ASGI application sends: each message judged by its type, its place and its fields. Pure.

Owns the table of types: after which others each may come, and how its fields are read. What is wrong is a
`MessageError` of one line, raised in the application where it sends. It knows no connection.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format" 2.5, "Lifespan Protocol" 2.0, "Extensions".
"""

import os
import reprlib
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from gossamer.core.errors import GossamerError
from gossamer.core.http.outgoing import REMEMBERED_BYTES_MAX, ChosenFields, OutgoingError, chosen_fields

Message = Mapping[str, Any]


class MessageError(GossamerError):
    """An application sent what it may not, or not there; one line says what was found and what is allowed."""


class Stage(Enum):
    """How far the messages of an application have come."""

    RESPONSE = auto()
    """Nothing of the response was sent."""
    FIRST_BODY = auto()
    """Its start was."""
    BODY = auto()
    TRAILERS = auto()
    """The body was, and trailers are to follow."""
    COMPLETE = auto()

    STARTUP = auto()
    """Of a lifespan: whether the application has started is not said yet."""
    RUNNING = auto()
    SHUTDOWN = auto()
    """It was told to shut down."""
    ENDED = auto()

    HANDSHAKE = auto()
    """Of a WebSocket: the client waits to be let in."""
    DENIAL = auto()
    """The start of a response to it was sent."""
    OPEN = auto()
    CLOSED = auto()


# An Enum's member costs a call each time, until Python 3.12: these are asked for with every request.
RESPONSE: Final = Stage.RESPONSE
FIRST_BODY: Final = Stage.FIRST_BODY
COMPLETE: Final = Stage.COMPLETE

PLACES: Final = {
    Stage.RESPONSE: "before the response has started",
    Stage.FIRST_BODY: "after http.response.start",
    Stage.BODY: "within the body",
    Stage.TRAILERS: "after the body, where trailers are to follow",
    Stage.COMPLETE: "after the response was complete",
    Stage.STARTUP: "before lifespan.startup was answered",
    Stage.RUNNING: "while the application runs",
    Stage.SHUTDOWN: "after lifespan.shutdown",
    Stage.ENDED: "after the end of the lifespan",
    Stage.HANDSHAKE: "before the WebSocket was accepted",
    Stage.DENIAL: "after websocket.http.response.start",
    Stage.OPEN: "on an open WebSocket",
    Stage.CLOSED: "after the WebSocket was closed",
}


class Start(msgspec.Struct, frozen=True, gc=False):
    """http.response.start"""

    status: int
    fields: ChosenFields
    has_trailers: bool


class BodyPart(msgspec.Struct, frozen=True, gc=False):
    """http.response.body"""

    data: bytes
    is_last: bool


class FilePart(msgspec.Struct, frozen=True, gc=False):
    """http.response.zerocopysend"""

    fd: int
    offset: int | None
    """None: where the file stands."""
    count: int | None
    """None: to its end."""
    is_last: bool


class PathPart(msgspec.Struct, frozen=True, gc=False):
    """http.response.pathsend: the whole body"""

    path: str


class Trailers(msgspec.Struct, frozen=True, gc=False):
    """http.response.trailers"""

    lines: bytes
    is_last: bool


class Hint(msgspec.Struct, frozen=True, gc=False):
    """http.response.early_hint"""

    lines: bytes


class Answered(msgspec.Struct, frozen=True, gc=False):
    """lifespan.*.complete and lifespan.*.failed"""

    error: str
    """"" where it is complete."""


Part = Start | BodyPart | FilePart | PathPart | Trailers | Hint | Answered


def found(message: Message, field: str, value: object, allowed: str) -> MessageError:
    """The error for a field."""
    what = f"{reprlib.repr(value)} ({type(value).__name__})"
    return MessageError(f"{message['type']}: {field}: found {what}; allowed: {allowed}")


def flag(message: Message, field: str) -> bool:
    """A field that is true or false, and false where it is absent."""
    value = message.get(field, False)
    if value is not True and value is not False:
        raise found(message, field, value, "True or False")
    return bool(value)


def whole_number(message: Message, field: str) -> int | None:
    """A field that is a number of bytes, or absent."""
    value = message.get(field)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise found(message, field, value, "a whole number of bytes, 0 or more")


def field_lines(message: Message) -> tuple[bytes, int]:
    """Its headers as lines, and how many these are."""
    headers = message.get("headers", ())
    try:
        lines = [b"%b: %b\r\n" % (name, value) for name, value in headers]
    except (TypeError, ValueError):
        raise wrong_header(message, headers) from None
    return b"".join(lines), len(lines)


def wrong_header(message: Message, headers: object) -> MessageError:
    """Which of the headers is none."""
    allowed = "pairs of bytes, as [(b'content-type', b'text/plain')]"
    if not isinstance(headers, (list, tuple)):
        return found(message, "headers", headers, allowed)
    for pair in headers:
        is_pair = isinstance(pair, (list, tuple)) and len(pair) == 2
        if not is_pair or not all(isinstance(each, (bytes, bytearray, memoryview)) for each in pair):
            return found(message, "headers", pair, allowed)
    return found(message, "headers", headers, allowed)


def judged(message: Message, lines: bytes, count: int) -> ChosenFields:
    """Field lines that may be sent."""
    try:
        return chosen_fields(lines, count)
    except OutgoingError as error:
        raise MessageError(f"{message['type']}: headers: {error}") from None


class NotRememberedError(Exception):
    """A start whose fields are too long to be remembered."""

    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start


def read_start(message: Message) -> Start:
    """http.response.start

    Applications say much the same again and again, so it is remembered: like messages give one record.
    """
    status, headers = message.get("status"), message.get("headers", ())
    kind = type(headers)
    # What is equal to these has been judged alike: an int is no bool, nor a float.
    if (kind is list or kind is tuple) and type(status) is int and "trailers" not in message:
        try:
            return known_start(status, tuple(headers))
        except TypeError:
            pass  # a header that is a list, or wrong
        except NotRememberedError as long:
            return long.start
    return judge_start(message)


@lru_cache(maxsize=1024)
def known_start(status: int, headers: tuple[object, ...]) -> Start:
    """`judge_start`, remembered. Raises: MessageError, NotRememberedError; TypeError for what has no hash."""
    start = judge_start({"type": "http.response.start", "status": status, "headers": headers})
    if len(start.fields.lines) > REMEMBERED_BYTES_MAX:
        raise NotRememberedError(start)
    return start


def judge_start(message: Message) -> Start:
    """`read_start`, whatever was seen before."""
    status = message.get("status")
    # 1xx are no final responses: 103 has a message of its own, 101 belongs to WebSocket.
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise found(message, "status", status, "a status from 200 to 999")
    fields = judged(message, *field_lines(message))
    return Start(int(status), fields, flag(message, "trailers"))


def read_body(message: Message) -> BodyPart:
    """http.response.body"""
    body = message.get("body", b"")
    if type(body) is bytes and "more_body" not in message:
        return BodyPart(body, True)
    if type(body) is not bytes:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise found(message, "body", body, "bytes")
        body = bytes(body)
    return BodyPart(body, not flag(message, "more_body"))


def read_file(message: Message) -> FilePart:
    """http.response.zerocopysend"""
    file = message.get("file")
    try:
        fd = file if type(file) is int else file.fileno()  # type: ignore[union-attr]  # or AttributeError
    except (AttributeError, OSError, ValueError):
        raise found(message, "file", file, "an open file, or its descriptor") from None
    if fd < 0:
        raise found(message, "file", file, "an open file, or its descriptor")
    offset, count = whole_number(message, "offset"), whole_number(message, "count")
    return FilePart(fd, offset, count, not flag(message, "more_body"))


def read_path(message: Message) -> PathPart:
    """http.response.pathsend"""
    path = message.get("path")
    if not isinstance(path, (str, os.PathLike)) or "\0" in str(path) or not os.path.isabs(path):
        raise found(message, "path", path, "the absolute path of a file")
    return PathPart(os.fspath(path))


def read_trailers(message: Message) -> Trailers:
    """http.response.trailers"""
    lines, count = field_lines(message)
    judged(message, lines, count)
    return Trailers(lines, not flag(message, "more_trailers"))


def read_hint(message: Message) -> Hint:
    """http.response.early_hint"""
    links = message.get("links", ())
    if isinstance(links, (bytes, str)):
        raise found(message, "links", links, "a list of bytes, the values of Link")
    try:
        lines = [b"Link: %b\r\n" % link for link in links]
    except TypeError:
        raise found(message, "links", links, "a list of bytes, the values of Link") from None
    joined = b"".join(lines)
    judged(message, joined, len(lines))
    return Hint(joined)


def read_complete(_message: Message) -> Answered:
    """lifespan.startup.complete, lifespan.shutdown.complete"""
    return Answered("")


def read_failed(message: Message) -> Answered:
    """lifespan.startup.failed, lifespan.shutdown.failed"""
    text = message.get("message", "")
    if not isinstance(text, str):
        raise found(message, "message", text, "a str")
    return Answered(" ".join(text.split()) or "it does not say why")


class Rule(NamedTuple):
    """A type of messages."""

    stages: tuple[Stage, ...]
    """Where it may come. No set: of an Enum's member the hash takes longer than all of these together."""
    read: Callable[[Message], Any]


def rule(read: Callable[[Message], Any], *stages: Stage) -> Rule:
    """A line of a table."""
    return Rule(stages, read)


HTTP_RULES: Final[Mapping[str, Rule]] = {
    "http.response.start": rule(read_start, Stage.RESPONSE),
    "http.response.body": rule(read_body, Stage.FIRST_BODY, Stage.BODY),
    "http.response.zerocopysend": rule(read_file, Stage.FIRST_BODY, Stage.BODY),
    "http.response.pathsend": rule(read_path, Stage.FIRST_BODY),
    "http.response.trailers": rule(read_trailers, Stage.TRAILERS),
    "http.response.early_hint": rule(read_hint, Stage.RESPONSE),
}
LIFESPAN_RULES: Final[Mapping[str, Rule]] = {
    "lifespan.startup.complete": rule(read_complete, Stage.STARTUP),
    "lifespan.startup.failed": rule(read_failed, Stage.STARTUP),
    "lifespan.shutdown.complete": rule(read_complete, Stage.SHUTDOWN),
    "lifespan.shutdown.failed": rule(read_failed, Stage.SHUTDOWN),
}


def taken(rules: Mapping[str, Rule], stage: Stage, message: object) -> Any:
    """What a message says that came at this stage. Raises: MessageError."""
    try:
        kind = message["type"]  # type: ignore[index]  # or one of these errors
        stages, read = rules[kind]
    except (TypeError, KeyError, IndexError):
        raise no_message(rules, message) from None
    if stage not in stages:
        raise out_of_order(rules, stage, kind)
    return read(message)  # type: ignore[arg-type]  # it has a type by name


def next_stage(stage: Stage, part: Part, *, has_trailers: bool = False) -> Stage:
    """Where the messages stand after that one; `has_trailers` is what the start has said."""
    kind = type(part)
    if kind is BodyPart or kind is FilePart:
        if not part.is_last:  # type: ignore[union-attr]  # both have it
            return Stage.BODY
        return Stage.TRAILERS if has_trailers else Stage.COMPLETE
    if kind is Start:
        return Stage.FIRST_BODY
    if kind is PathPart:
        return Stage.TRAILERS if has_trailers else Stage.COMPLETE
    if kind is Trailers:
        return Stage.COMPLETE if part.is_last else stage  # type: ignore[union-attr]  # it has it
    if kind is Answered:
        is_running = stage is Stage.STARTUP and not part.error  # type: ignore[union-attr]  # it has it
        return Stage.RUNNING if is_running else Stage.ENDED
    return stage


def no_message(rules: Mapping[str, Rule], message: object) -> MessageError:
    """For what is no message, or one of a type that is not taken here."""
    if not isinstance(message, Mapping):
        return MessageError(
            f"send: found {reprlib.repr(message)} ({type(message).__name__}); allowed: a dict with a type"
        )
    if "type" not in message:
        return MessageError(f"send: found a message without a type; allowed: {', '.join(rules)}")
    return MessageError(f"send: found type {reprlib.repr(message['type'])}; allowed: {', '.join(rules)}")


def out_of_order(rules: Mapping[str, Rule], stage: Stage, kind: str) -> MessageError:
    """For a message that may come, but not there."""
    allowed = ", ".join(name for name, rule in rules.items() if stage in rule.stages) or "nothing more"
    return MessageError(f"send: found {kind} {PLACES[stage]}; allowed: {allowed}")
