"""The client half of HTTP/1.1: requests to bytes, bytes to responses (sans-I/O).

Owns what a client must know of framing (RFC 9112 6.3, rules 1 to 8). It is as strict as the server half. It
knows no socket: its user feeds what was received, and says when the peer closed.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gossamer.core.http.body import Body, BodyError, ChunkedBody, LengthBody, UntilCloseBody
from gossamer.core.http.fields import Combined, Fields, combine, connection_options, list_members
from gossamer.core.http.grammar import BARE_LF, DIGITS, FIELD_LINE, STATUS_LINE
from gossamer.core.http.limits import DEFAULT_LIMITS, MessageLimits
from gossamer.core.http.memo import Memo
from gossamer.core.http.response import CLOSE

PROTOCOL: Final = b"HTTP/"

UNTIL_CLOSE: Final = -2
"""The body_bytes of a response that ends with its connection."""
CHUNKED: Final = -1
"""The body_bytes of a response whose end only its last chunk shows."""


class ResponseError(Exception):
    """What came is no HTTP/1.1 response; the connection cannot be used any more."""


class Response(msgspec.Struct, frozen=True):
    """A response head."""

    status: int
    reason: str
    minor: int
    fields: Fields
    """In their order, names in lower case."""
    table: Combined
    """The same fields by name, combined."""
    body_bytes: int
    """Announced length, CHUNKED or UNTIL_CLOSE; for what answers GET (a HEAD, 204 or 304 has no body all the
    same).
    """
    keep_alive: bool
    """Whether the server lets the connection live on."""

    def field(self, name: str) -> str | None:
        """The field's combined value; None when it is absent."""
        return self.table.get(name)


def build_request(
    method: str,
    target: str,
    host: str,
    fields: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    keep_alive: bool = True,
    minor: int = 1,
) -> bytes:
    """A whole request of HTTP/1.`minor`. A body gets its Content-Length, unless `fields` say
    Transfer-Encoding themselves.

    Raises: ValueError for a field or target that would split the request.
    """
    lines = [f"{method} {target} HTTP/1.{minor}", f"Host: {host}"]
    names = set()
    for name, value in fields:
        names.add(name.lower())
        lines.append(f"{name}: {value}")
    if (body or method in ("PUT", "POST")) and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    if not keep_alive:
        lines.append(": ".join(CLOSE))
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("a request field or target holds a line break or NUL")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def parse_response(head: bytes) -> Response:
    """Parse a whole head, its empty line included. Raises: ResponseError."""
    if BARE_LF.search(head) is not None:
        raise ResponseError("line not ended by CRLF")
    line, *field_lines = head[:-4].split(b"\r\n")
    match = STATUS_LINE.fullmatch(line)
    if match is None or match["major"] != b"1":
        raise ResponseError("bad status line")
    fields = tuple(parse_field(field_line) for field_line in field_lines)
    minor = min(int(match["minor"]), 1)
    table = combine(fields)
    options = connection_options(table)
    return Response(
        status=int(match["status"]),
        reason=(match["reason"] or b"").decode("latin-1"),
        minor=minor,
        fields=fields,
        table=table,
        body_bytes=response_length(table),
        keep_alive="close" not in options and (minor == 1 or "keep-alive" in options),
    )


def parse_field(line: bytes) -> tuple[str, str]:
    """One field line. Raises: ResponseError."""
    match = FIELD_LINE.fullmatch(line)
    if match is None:
        raise ResponseError("bad header field")
    return match[1].decode("ascii").lower(), match[2].rstrip(b" \t").decode("latin-1")


def response_length(table: Combined) -> int:
    """How long the body is, were there one. Raises: ResponseError."""
    coding = table.get("transfer-encoding")
    length = table.get("content-length")
    if coding is not None:
        if length is not None or list_members(coding.lower()) != ["chunked"]:
            raise ResponseError("bad Transfer-Encoding")
        return CHUNKED
    if length is None:
        return UNTIL_CLOSE
    if DIGITS.fullmatch(length.encode("latin-1")) is None:
        raise ResponseError("bad Content-Length")
    return int(length)


def is_final(response: Response) -> bool:
    """Whether it answers its request, and no other of them comes."""
    return response.status >= 200 or response.status == 101


def response_parser() -> Callable[[bytes], Response]:
    """A memoised `parse_response`, to be shared by all the connections of a process."""
    return Memo(parse_response)


class ResponseReader:
    """One connection's responses, in the order of the requests.

    Usage: `receive(data)`; `next_response(method)` until it is not None; `next_body()` until b""; and again.
    Bounds: head_bytes_max unparsed bytes of a head plus what one `receive` brought.
    """

    __slots__ = ("at", "body", "buffer", "limits", "parse", "stream_ended")

    def __init__(
        self,
        parse: Callable[[bytes], Response] = parse_response,
        limits: MessageLimits = DEFAULT_LIMITS,
    ) -> None:
        self.parse = parse
        self.limits = limits
        self.buffer = b""
        self.at = 0
        self.body: Body | None = None
        self.stream_ended = False

    def receive(self, data: bytes) -> None:
        """Take what came from the peer; b"" says that it has closed."""
        if not data:
            self.stream_ended = True
        elif self.at == len(self.buffer):
            self.buffer, self.at = data, 0
        else:
            self.buffer, self.at = self.buffer[self.at :] + data, 0

    @property
    def has_input(self) -> bool:
        """Whether bytes wait that belong to no message handed out."""
        return self.at < len(self.buffer)

    def next_response(self, method: str = "GET") -> Response | None:
        """The next final response, to a request of that method; None when its head has not all come.

        Interim responses (1xx) are skipped, but for 101. Raises: ResponseError, also when the peer closed
        before it.
        """
        while True:
            response = self.next_head(method)
            if response is None or is_final(response):
                return response

    def next_head(self, method: str = "GET") -> Response | None:
        """As `next_response`, which may be an interim one. Raises: ResponseError."""
        end = self.buffer.find(b"\r\n\r\n", self.at, self.at + self.limits.head_bytes_max)
        if end < 0:
            self.check_unfinished()
            return None
        response = self.parse(self.buffer[self.at : end + 4])
        self.at = end + 4
        if is_final(response):
            self.body = self.body_of(response, method)
        return response

    def check_unfinished(self) -> None:
        """Whether the rest of a head may still come. Raises: ResponseError."""
        if self.has_input:
            self.check_beginning(self.buffer[self.at : self.at + self.limits.head_bytes_max])
        if len(self.buffer) - self.at >= self.limits.head_bytes_max:
            raise ResponseError("response head too large")
        if self.stream_ended:
            raise ResponseError("connection closed before a whole response head")

    def check_beginning(self, head: bytes) -> None:
        """Whether this can become a head: whoever waits for one from a server of another protocol, or of bare
        LF, would wait for ever. Raises: ResponseError.
        """
        if not head.startswith(PROTOCOL[: len(head)]):
            raise ResponseError("bad status line")
        if BARE_LF.search(head) is not None:
            raise ResponseError("line not ended by CRLF")

    def body_of(self, response: Response, method: str) -> Body | None:
        """How the body is framed; None when there is none. Raises: ResponseError."""
        # RFC 9112 6.3, rule 1: "Any response to a HEAD request and any response with a 1xx (Informational),
        # 204 (No Content), or 304 (Not Modified) status code is always terminated by the first empty line
        # after the header fields".
        if method == "HEAD" or response.status in (101, 204, 304) or response.body_bytes == 0:
            return None
        if response.body_bytes == CHUNKED:
            return ChunkedBody(self.limits)
        if response.body_bytes == UNTIL_CLOSE:
            return UntilCloseBody()
        try:
            return LengthBody(response.body_bytes, self.limits)
        except BodyError as error:
            raise ResponseError(error.reason) from error

    def next_body(self) -> bytes | None:
        """Body bytes that are there; b"" at the body's end, None when more must come.

        Raises: ResponseError, also when the peer closed in the middle of it.
        """
        body = self.body
        if body is None or body.is_complete:
            return b""
        if self.stream_ended and isinstance(body, UntilCloseBody) and not self.has_input:
            body.end_of_stream()
            return b""
        try:
            data, self.buffer = body.decode(self.buffer[self.at :] if self.at else self.buffer)
        except BodyError as error:
            raise ResponseError(error.reason) from error
        self.at = 0
        if data or body.is_complete:
            return data
        if self.stream_ended:
            raise ResponseError("connection closed in the middle of a body")
        return None
