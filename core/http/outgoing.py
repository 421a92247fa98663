"""Responses whose fields and body an application chooses: what its fields mean to the connection, and how the
body is framed on it (sans-I/O).

Owns the choice between the ways in which a body can end, and the bytes around each piece of it. What an
application says of framing is taken for what it knows (the length) or left out (Transfer-Encoding, Connection
but for its "close"): the connection is ours. It knows no socket and no clock, and keeps no body.

Source: RFC 9110 6.4.1, 8.6, 9.3.2, 15.3.5, 15.4.5; RFC 9112 4, 6.1, 6.3, 7.1, 9.3.
"""

from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import msgspec

from gossamer.core.http.fields import list_members
from gossamer.core.http.grammar import DIGITS, FIELD_SECTION
from gossamer.core.http.response import REASONS

PHRASES: Final = {status.value: status.phrase for status in HTTPStatus} | REASONS
STATUS_LINES: Final = {
    status: f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii") for status, phrase in PHRASES.items()
}
CLOSE_LINE: Final = b"Connection: close\r\n"
KEEP_ALIVE_LINE: Final = b"Connection: keep-alive\r\n"
CHUNKED_LINE: Final = b"Transfer-Encoding: chunked\r\n"
LAST_CHUNK: Final = b"0\r\n"
END: Final = b"\r\n"
NOTHING: Final = (b"", b"")

REMEMBERED_BYTES_MAX: Final = 2048
"""Fields of more bytes are judged each time."""


class OutgoingError(ValueError):
    """What an application wants to send cannot be sent; one line says why."""


class ChosenFields(msgspec.Struct, frozen=True, gc=False):
    """The fields of a response that an application has chosen, judged."""

    lines: bytes
    """As they are sent, without those that are ours to say."""
    length: int | None
    """Content-Length, where it has one."""
    closes: bool
    """Whether it asks for the connection's end."""
    has_date: bool
    has_server: bool


def chosen_fields(lines: bytes, count: int) -> ChosenFields:
    """Judge so many field lines, each with its CRLF. Raises: OutgoingError: one is none, or would be two.

    Applications say much the same again and again, so it is remembered.
    """
    if len(lines) > REMEMBERED_BYTES_MAX:
        return judge_fields(lines, count)
    return remembered(lines, count)


def judge_fields(lines: bytes, count: int) -> ChosenFields:
    """`chosen_fields`, whatever was seen before."""
    if lines.count(b"\n") != count or FIELD_SECTION.fullmatch(lines + END) is None:
        raise OutgoingError(f"found {refused_line(lines)!r}; allowed: a token, and a value without line ends")
    kept: list[bytes] = []
    lengths: set[bytes] = set()
    names: set[bytes] = set()
    closes = False
    for line in lines.split(END)[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        names.add(name)
        if name == b"content-length":
            lengths.add(value.strip(b" \t"))
        elif name == b"connection":
            closes |= "close" in list_members(value.decode("latin-1").lower())
        elif name != b"transfer-encoding":
            kept.append(line + END)
    return ChosenFields(b"".join(kept), length_of(lengths), closes, b"date" in names, b"server" in names)


remembered: Final = lru_cache(maxsize=1024)(judge_fields)


def refused_line(lines: bytes) -> bytes:
    """The first line that is none; where each is one, a value had a line end in it, and it is the last."""
    all_lines = lines.split(END)[:-1]
    bad = [line for line in all_lines if FIELD_SECTION.fullmatch(line + END + END) is None]
    return (bad or all_lines)[0][:80] if bad else all_lines[-1][:80]


def length_of(values: set[bytes]) -> int | None:
    """The one length that is said. Raises: OutgoingError."""
    if not values:
        return None
    value = values.pop()
    if values or DIGITS.fullmatch(value) is None:
        raise OutgoingError(f"found content-length {value[:40]!r}; allowed: one number")
    return int(value)


class Framing(Enum):
    """How a body ends."""

    LENGTH = auto()
    """After as many bytes as the head says."""
    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    """With the connection: RFC 9112 6.3, rule 8."""
    NONE = auto()
    """There is none, whatever the application sends."""


class Requested(msgspec.Struct, frozen=True, gc=False):
    """What a response must know of its request and its connection."""

    method: str
    minor: int
    keep_alive: bool
    """Whether both sides let the connection live on."""


class OutgoingBody:
    """The body of one response, on its way out piece by piece."""

    __slots__ = ("framing", "keep_alive", "left_bytes", "length", "sent_bytes")

    def __init__(
        self, asked: Requested, status: int, fields: ChosenFields, whole_bytes: int | None = None
    ) -> None:
        """`whole_bytes` is the length of the body, where it is known though no field says so. Raises:
        OutgoingError where the two differ."""
        self.sent_bytes = 0
        """Of the body itself."""
        self.keep_alive = asked.keep_alive and not fields.closes
        self.length = length = fields.length if fields.length is not None else whole_bytes
        if asked.method == "HEAD" or status in (204, 304):
            self.framing = Framing.NONE
            if status == 204 or (status == 304 and fields.length is None):
                self.length = None  # RFC 9110 8.6: "MUST NOT [...] with a status code of 1xx or 204"
        elif length is not None:
            self.framing = Framing.LENGTH
            if whole_bytes is not None and whole_bytes != length:
                raise OutgoingError(
                    f"found {whole_bytes} bytes of body; allowed: its content-length, {length}"
                )
        elif asked.minor:
            self.framing = Framing.CHUNKED
        else:
            self.framing = Framing.UNTIL_CLOSE
            self.keep_alive = False
        self.left_bytes = length or 0

    def head(self, status: int, fields: ChosenFields, own: bytes, minor: int) -> bytes:
        """The whole head; `own` are the fields that every response has and this one does not say itself."""
        parts = [status_line(status), own, fields.lines]
        if self.framing is Framing.CHUNKED:
            parts.append(CHUNKED_LINE)
        elif self.length is not None:
            parts.append(b"Content-Length: %d\r\n" % self.length)
        if not self.keep_alive:
            parts.append(CLOSE_LINE)
        elif not minor:
            parts.append(KEEP_ALIVE_LINE)
        parts.append(END)
        return b"".join(parts)

    def around(self, count: int, *, is_last: bool) -> tuple[bytes, bytes]:
        """What stands before and behind the next `count` bytes. Raises: OutgoingError where they are more
        than was said, or the last though they are fewer."""
        if self.framing is Framing.NONE:
            return NOTHING
        self.sent_bytes += count
        if self.framing is Framing.LENGTH:
            self.left_bytes -= count
            if self.left_bytes < 0 or (is_last and self.left_bytes):
                which = f"more than {self.length}" if self.left_bytes < 0 else f"{self.sent_bytes}"
                raise OutgoingError(
                    f"found {which} bytes of body; allowed: its content-length, {self.length}"
                )
            return NOTHING
        if self.framing is not Framing.CHUNKED:
            return NOTHING
        end = LAST_CHUNK + END if is_last else b""
        return (b"%x\r\n" % count, END + end) if count else (b"", end)

    def frame(self, data: bytes, *, is_last: bool) -> bytes:
        """The next piece as it is sent. Raises: as `around`."""
        before, behind = self.around(len(data), is_last=is_last)
        if self.framing is Framing.NONE:
            return b""
        return before + data + behind if behind else data

    def trailers(self, lines: bytes) -> bytes:
        """The end of a body whose last piece was not said to be the last: with these fields, where the
        framing has a place for them. Raises: as `around`.

        RFC 9112 7.1.2: a trailer section belongs to the chunked coding alone.
        """
        if self.framing is Framing.CHUNKED:
            return LAST_CHUNK + lines + END
        self.around(0, is_last=True)
        return b""


def status_line(status: int) -> bytes:
    """Of any status of three digits; RFC 9112 4: the reason phrase may be empty, and its space may not."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
